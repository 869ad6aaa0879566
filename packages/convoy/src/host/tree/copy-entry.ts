import { ConvoyError, errnoOf } from "../../errors.ts";
import * as sys from "../sys.ts";
import { applyAttributes, applyAttributesAt, attributesOf, handlePathAt } from "./attributes.ts";
import type { ContentCopier } from "./copy-content.ts";
import type { TreeEntry } from "./entry.ts";
import type { ManifestEntry } from "./manifest.ts";
import { shown } from "./walk.ts";

/** A file that changed while it was copied is read again this many times (R15). */
export const REREADS = 3;

export interface Place {
  /** Handles of the directories. */
  from: number;
  to: number;
  name: Buffer;
  /** In the tree. */
  path: Buffer;
}

export interface CopiedFile {
  entry: ManifestEntry;
  stat: sys.Stat;
  /** False if it changed every time while it was copied. */
  stable: boolean;
}

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

/**
 * Copies a regular file.
 * @param isDone asked once the file is open: true if nothing is to be copied (the file has been linked or left out)
 * @returns undefined if there is no regular file of this name; `done` if `isDone` said so
 */
export function copyFile(
  place: Place,
  content: ContentCopier,
  isDone: (stat: sys.Stat) => boolean,
): CopiedFile | "done" | undefined {
  for (let attempt = 0; ; attempt++) {
    const copied = copyFileOnce(place, content, isDone);
    if (copied === undefined || copied === "done" || copied.stable || attempt === REREADS) return copied;
    sys.unlinkat(place.to, place.name);
  }
}

function copyFileOnce(
  place: Place,
  content: ContentCopier,
  isDone: (stat: sys.Stat) => boolean,
): CopiedFile | "done" | undefined {
  let from: number;
  try {
    from = openSource(place.from, place.name, sys.O.RDONLY | sys.O.NOFOLLOW | sys.O.NONBLOCK);
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
  try {
    const stat = sys.fstat(from);
    if ((stat.mode & sys.S.IFMT) !== sys.S.IFREG) return undefined;
    if (isDone(stat)) return "done";
    if (!Number.isSafeInteger(stat.size)) {
      throw new ConvoyError("UNSUPPORTED", `'${shown(place.path)}' has ${stat.size} bytes; at most 2^53 are allowed`);
    }
    const entry = entryOf("file", place.path, stat, sys.fxattrs(from));
    writeCopy(place, from, stat, entry, content);
    return { entry, stat, stable: isSameState(stat, sys.fstat(from)) };
  } finally {
    sys.close(from);
  }
}

/** Completes `entry` with what is known of the content. */
function writeCopy(place: Place, from: number, stat: sys.Stat, entry: ManifestEntry, content: ContentCopier): void {
  const flags = sys.O.WRONLY | sys.O.CREAT | sys.O.EXCL | sys.O.NOFOLLOW;
  const to = sys.openat(place.to, place.name, flags, stat.mode & 0o777);
  try {
    const copied = content.copy(from, to, stat);
    const written = sys.fstat(to);
    applyAttributes(to, attributesOf(stat, entry.xattrs ?? new Map()), written, place.path);
    // Less than `stat` said if the file shrank meanwhile.
    entry.size = written.size;
    if (copied.sparse) entry.sparse = true;
    if (copied.checksum !== undefined) entry.checksum = copied.checksum;
  } finally {
    sys.close(to);
  }
}

/** Copies a symbolic link, FIFO or device node. @returns undefined if it is not there any more */
export function copySpecial(place: Place, stat: sys.Stat): ManifestEntry | undefined {
  const { from, to, name, path } = place;
  let target: Buffer | undefined;
  let xattrs: sys.Xattrs;
  try {
    if ((stat.mode & sys.S.IFMT) === sys.S.IFLNK) target = sys.readlinkat(from, name);
    xattrs = sys.lxattrs(handlePathAt(from, name));
  } catch (error) {
    if (isVanished(error) || errnoOf(error) === "EINVAL") return undefined;
    throw error;
  }
  if (target !== undefined) {
    sys.symlinkat(target, to, name);
    applyAttributesAt(to, name, attributesOf(stat, xattrs), path);
    return { ...entryOf("symlink", path, stat, xattrs), target };
  }
  makeNode(place, stat);
  applyAttributesAt(to, name, attributesOf(stat, xattrs), path);
  if ((stat.mode & sys.S.IFMT) === sys.S.IFIFO) return entryOf("fifo", path, stat, xattrs);
  const type = (stat.mode & sys.S.IFMT) === sys.S.IFCHR ? "character" : "block";
  return { ...entryOf(type, path, stat, xattrs), device: { major: stat.rdevMajor, minor: stat.rdevMinor } };
}

function makeNode({ to, name, path }: Place, stat: sys.Stat): void {
  try {
    sys.mknodat(to, name, (stat.mode & sys.S.IFMT) | 0o600, stat.rdevMajor, stat.rdevMinor);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") throw error;
    throw new ConvoyError("UNSUPPORTED", `the device node '${shown(path)}' cannot be made: EPERM`, {
      cause: error,
      hint: "Run the daemon as root, or remove the device node from the volume.",
    });
  }
}
