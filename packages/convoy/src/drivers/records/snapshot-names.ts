import { ConvoyError, errnoOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";

/**
 * Snapshot names are global. A name is reserved by a file that can be made only once, whichever host asks (R3); its
 * content names the volume.
 */
const DIRECTORY = "names";

async function within<T>(state: Dir, work: (dir: Dir) => Promise<T>): Promise<T> {
  const dir = await state.sub(DIRECTORY, { create: true });
  try {
    return await work(dir);
  } finally {
    await dir.close();
  }
}

export function snapshotExists(snapshot: string, cause?: unknown): ConvoyError {
  return new ConvoyError("SNAPSHOT_EXISTS", `Snapshot name ${snapshot} already exists`, {
    cause,
    hint: "Snapshot names are shared by all volumes, and by the names of volumes. Choose another name.",
  });
}

export async function reserveSnapshotName(state: Dir, snapshot: string, volume: string): Promise<void> {
  try {
    await within(state, (dir) => dir.createExclusive(snapshot, `${volume}\n`));
  } catch (error) {
    if (errnoOf(error) === "EEXIST") throw snapshotExists(snapshot, error);
    throw error;
  }
}

/** Frees a name, if it is reserved for this volume; idempotent. */
export function freeSnapshotName(state: Dir, snapshot: string, volume: string): Promise<void> {
  return within(state, async (dir) => {
    if ((await dir.readText(snapshot, 4096))?.trim() === volume) await dir.remove(snapshot);
  });
}

/** Gives the name to another volume (rename). Makes the reservation if an original's snapshot has none. */
export function moveSnapshotName(state: Dir, snapshot: string, volume: string): Promise<void> {
  return within(state, (dir) => dir.write(snapshot, `${volume}\n`));
}
