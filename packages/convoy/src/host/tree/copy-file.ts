import { ConvoyError } from "../../errors.ts";
import * as sys from "../sys.ts";
import { applyAttributes, attributesOf } from "./attributes.ts";
import type { ContentCopier, CopiedContent } from "./copy-content.ts";
import type { ManifestEntry } from "./manifest.ts";
import { entryOf, isSameState, isVanished, openSource, REREADS } from "./source.ts";
import { shown } from "./walk.ts";

export interface OpenedFile {
  fd: number;
  stat: sys.Stat;
}

/** A file to be copied: both are open, `to` is new. Plain data, so that another thread can do it. */
export interface FileCopy {
  from: number;
  to: number;
  path: Buffer;
  /** Of `from`. */
  stat: sys.Stat;
}

export interface CopiedFile {
  entry: ManifestEntry;
  /** False if it changed every time while it was copied. */
  stable: boolean;
}

/** Opens a regular file. @returns undefined if there is none of this name */
export function openFile(dirfd: number, name: Buffer, path: Buffer): OpenedFile | undefined {
  let fd: number;
  try {
    fd = openSource(dirfd, name, sys.O.RDONLY | sys.O.NOFOLLOW | sys.O.NONBLOCK);
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
  const stat = sys.fstat(fd);
  if ((stat.mode & sys.S.IFMT) === sys.S.IFREG && Number.isSafeInteger(stat.size)) return { fd, stat };
  sys.close(fd);
  if ((stat.mode & sys.S.IFMT) !== sys.S.IFREG) return undefined;
  throw new ConvoyError("UNSUPPORTED", `'${shown(path)}' has ${stat.size} bytes; at most 2^53 are allowed`);
}

/** Makes the file that `file` is to be copied to. */
export function createCopy(dirfd: number, name: Buffer, file: OpenedFile): number {
  const flags = sys.O.WRONLY | sys.O.CREAT | sys.O.EXCL | sys.O.NOFOLLOW;
  return sys.openat(dirfd, name, flags, file.stat.mode & 0o777);
}

/** Copies content and attributes, and closes both files, also on failure. */
export function copyFile(copy: FileCopy, content: ContentCopier): CopiedFile {
  const { from, to, path } = copy;
  try {
    let { stat } = copy;
    for (let attempt = 0; ; attempt++) {
      const copied = content.copy(from, to, stat);
      const after = sys.fstat(from);
      const stable = isSameState(stat, after);
      if (stable || attempt === REREADS) return { entry: finish(from, to, path, stat, copied), stable };
      stat = after;
      sys.ftruncate(to, 0);
    }
  } finally {
    sys.close(from);
    sys.close(to);
  }
}

function finish(from: number, to: number, path: Buffer, stat: sys.Stat, copied: CopiedContent): ManifestEntry {
  const entry = entryOf("file", path, stat, sys.fxattrs(from));
  const written = sys.fstat(to);
  applyAttributes(to, attributesOf(stat, entry.xattrs ?? new Map()), written, path);
  // Less than `stat` said if the file shrank meanwhile.
  entry.size = written.size;
  if (copied.sparse) entry.sparse = true;
  if (copied.checksum !== undefined) entry.checksum = copied.checksum;
  return entry;
}
