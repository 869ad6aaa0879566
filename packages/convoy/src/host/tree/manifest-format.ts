/**
 * The manifest of a tree snapshot is lines of JSON:
 * - first `{"format":"convoy-tree-manifest","version":1}`, with `startedNs` where known;
 * - one line per entry, depth first: an entry's parent is the latest directory before it or one of that one's parents,
 *   the first is the root (path ""), and a hard link comes after the name it is a link to;
 * - last `{"end":true,"entries":…,"bytes":…,"sha256":…}`: what the manifest holds, and the checksum of all bytes before
 *   this line. Without it the manifest is truncated.
 */
export const FORMAT = "convoy-tree-manifest";
export const VERSION = 1;

export interface ManifestHeader {
  /**
   * When the snapshot began, before the source was synced, by the clock of the source's file system; left out where
   * that clock could not be asked (R15: files not older than that count as changed next time).
   */
  startedNs?: bigint;
}

export interface ManifestTotals {
  entries: number;
  /** Sizes of all files, each inode once. */
  bytes: number;
}
