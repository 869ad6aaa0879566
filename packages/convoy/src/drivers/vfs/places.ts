import { stat } from "node:fs/promises";
import { ConvoyError } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import type { VfsContext } from "./context.ts";
import type { VfsRecord, VfsSnapshot } from "./record.ts";
import { STATE_DIRECTORY } from "./share.ts";

/** Where a snapshot's data lies. Both are derived from names; the record's FilePath is only compared (R31). */
export type SnapshotPlace = { kind: "tree" } | { kind: "archive"; file: string; name: string };

const SNAPSHOTS = "snapshots";

/** What the record of a tree snapshot says; readable for people, never used as a path. */
export function treeFilePath(vfsPath: string, volume: string, snapshot: string): string {
  return `${vfsPath}/config/${STATE_DIRECTORY}/${SNAPSHOTS}/${volume}/${snapshot}/tree`;
}

export function archiveName(volume: string, snapshot: string): string {
  return `${volume}_${snapshot}.tar.gz`;
}

/** Directory of v0.5.2's archives: on this host's own disk, whatever `vfs.path` is. */
export function archiveDirectory(context: VfsContext): string {
  return `${context.config.directory}/${SNAPSHOTS}`;
}

/** @throws FORGED if the record's FilePath is neither what we nor what v0.5.2 would have written. */
export function snapshotPlace(context: VfsContext, record: VfsRecord, snapshot: VfsSnapshot): SnapshotPlace {
  const suffix = treeFilePath("", record.Name, snapshot.Name);
  if (snapshot.FilePath.endsWith(suffix)) return { kind: "tree" };
  const name = archiveName(record.Name, snapshot.Name);
  if (snapshot.FilePath.endsWith(`/${SNAPSHOTS}/${name}`)) {
    return { kind: "archive", file: `${archiveDirectory(context)}/${name}`, name };
  }
  throw new ConvoyError(
    "FORGED",
    `Snapshot ${snapshot.Name} of volume ${record.Name} is refused: its FilePath is ${snapshot.FilePath}, which is no place of a snapshot`,
    { hint: "Somebody changed the record by hand. Correct FilePath, or take the snapshot out of the record." },
  );
}

/** Makes sure that an archive of v0.5.2 is on this host. */
export async function requireArchive(file: string, snapshot: VfsSnapshot): Promise<void> {
  const stats = await stat(file).catch(() => undefined);
  if (stats?.isFile()) return;
  throw new ConvoyError(
    "SNAPSHOT_NOT_FOUND",
    `The archive of snapshot ${snapshot.Name} is not on this host: ${snapshot.FilePath}`,
    { hint: `Convoy v0.5.2 kept it on the disk of the host that made it. Use it there, or copy the file to ${file}.` },
  );
}

/** Opens `state/snapshots/<volume>`. */
export function volumeSnapshots(state: Dir, volume: string, create: boolean): Promise<Dir> {
  return state.descend([SNAPSHOTS, volume], { create });
}

/** Opens `state/snapshots`, if there is one. */
export function allSnapshots(state: Dir): Promise<Dir | undefined> {
  return state.trySub(SNAPSHOTS);
}
