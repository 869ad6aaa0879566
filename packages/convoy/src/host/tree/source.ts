import { errnoOf } from "../../errors.ts";
import * as sys from "../sys.ts";
import type { TreeEntry } from "./entry.ts";
import type { ManifestEntry } from "./manifest.ts";

/** What changed while it was copied is read again this many times (R15). */
export const REREADS = 3;

/** Errors of a source that was removed or replaced since it was listed. */
export function isVanished(error: unknown): boolean {
  return ["ENOENT", "ESTALE", "ELOOP", "ENOTDIR", "ENXIO"].includes(errnoOf(error) ?? "");
}

export function isSameState(a: sys.Stat, b: sys.Stat): boolean {
  return a.ino === b.ino && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}

export function entryOf(type: TreeEntry["type"], path: Buffer, stat: sys.Stat, xattrs: sys.Xattrs): ManifestEntry {
  const entry: ManifestEntry = {
    path,
    type,
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    mtimeNs: stat.mtimeNs,
    size: 0,
    source: { ino: stat.ino, ctimeNs: stat.ctimeNs, nlink: stat.nlink },
  };
  if (xattrs.size > 0) entry.xattrs = xattrs;
  return entry;
}

/** Opens without changing the access time where that is allowed (the owner and root). */
export function openSource(dirfd: number, name: Buffer, flags: number): number {
  try {
    return sys.openat(dirfd, name, flags | sys.O.NOATIME);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") throw error;
    return sys.openat(dirfd, name, flags);
  }
}
