import { realpath } from "node:fs/promises";
import { ConvoyError } from "../errors.ts";
import { isWithin } from "../host/mountinfo.ts";
import { parseStoreUrl } from "../stores/url.ts";

/**
 * Refuses a store inside a volume or a snapshot (R26): each backup would be part of the next one, and deleting the
 * volume would delete its backups.
 */
export async function refuseStoreWithin(url: string, directories: readonly string[]): Promise<void> {
  const place = parseStoreUrl(url);
  if (place.scheme !== "vfs") return;
  const path = await realpath(place.path);
  for (const directory of directories) {
    // A directory that is not there holds no store.
    const real = await realpath(directory).catch(() => undefined);
    if (real === undefined || !isWithin(path, real)) continue;
    throw new ConvoyError(
      "INVALID_URL",
      `The store ${place.path} lies inside ${real}, where volumes or snapshots are`,
      {
        hint: "Choose a directory outside of all volumes, best on another disk.",
      },
    );
  }
}
