import type { OperationContext } from "../host/operation.ts";
import type { Store } from "../stores/store.ts";
import { VOLUMES, volumeDirectory, volumeOfDirectory } from "./format/layout.ts";
import { mapLimited } from "./map-limited.ts";

const PARALLEL = 8;

/**
 * Names of the volumes that a store has directories of: three levels of listings, as many requests as there are
 * prefixes of names. Directories that lie where no volume of that name would are left out and logged.
 */
export async function listVolumes(store: Store, { signal, log }: OperationContext): Promise<string[]> {
  const below = async (parents: readonly string[]) => {
    const lists = await mapLimited(parents, PARALLEL, async (parent) =>
      (await store.listDirectories(parent, { signal })).map((name) => `${parent}/${name}`),
    );
    return lists.flat();
  };
  const first = await below([VOLUMES]);
  const second = await below(first.filter((directory) => volumeAt(directory) === undefined));
  // The names of a few volumes make their directory lie one level higher, see `volumeDirectory`.
  const volumes = [...first, ...(await below(second))].map((directory) => ({ directory, volume: volumeAt(directory) }));
  for (const { directory, volume } of volumes) {
    if (volume === undefined && !first.includes(directory)) log.warn({ directory }, "not the directory of a volume");
  }
  return volumes.map(({ volume }) => volume).filter((volume) => volume !== undefined);
}

/** The volume that has this very directory. */
function volumeAt(directory: string): string | undefined {
  const volume = volumeOfDirectory(directory.slice(directory.lastIndexOf("/") + 1));
  return volume !== undefined && volumeDirectory(volume) === directory ? volume : undefined;
}
