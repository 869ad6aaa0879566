import { ConvoyError, errnoOf } from "../../errors.ts";
import type { Progress } from "../operation.ts";
import * as sys from "../sys.ts";
import type { TaskContext } from "../workers/index.ts";
import { DirChain, OPEN_DIRECTORY } from "./dir-chain.ts";
import type { RemoveRequest } from "./tasks.ts";
import { joinPath, MountBoundary, shown } from "./walk.ts";

const IS_ROOT = process.geteuid?.() === 0;

/** A directory that is being emptied. */
interface Emptying {
  name: Buffer;
  path: Buffer;
  entries: sys.DirEntry[];
}

/** The `remove` task. */
export function remove(request: RemoveRequest, context: TaskContext<Progress>): undefined {
  const { name } = request;
  const parentFd = sys.openat(request.parentFd, ".", OPEN_DIRECTORY);
  try {
    if (name === undefined) emptyDirectory(sys.openat(parentFd, ".", OPEN_DIRECTORY), request.parentPath, context);
    else removeName(parentFd, Buffer.from(name), request.parentPath, context);
    sys.fsync(parentFd);
  } finally {
    sys.close(parentFd);
  }
}

function removeName(parentFd: number, name: Buffer, parentPath: string, context: TaskContext<Progress>): void {
  const place = `${parentPath}/${name}`;
  const stat = absentIsUndefined(() => sys.lstatat(parentFd, name));
  if (stat === undefined) return;
  const boundary = new MountBoundary(parentFd);
  if (boundary.isCrossedBy(stat)) throw mounted(place);
  if ((stat.mode & sys.S.IFMT) !== sys.S.IFDIR) {
    absentIsUndefined(() => sys.unlinkat(parentFd, name));
    return;
  }
  const fd = absentIsUndefined(() => sys.openat(parentFd, name, OPEN_DIRECTORY));
  if (fd === undefined) return;
  if (boundary.isCrossedBy(sys.fstat(fd), fd)) {
    sys.close(fd);
    throw mounted(place);
  }
  emptyDirectory(fd, place, context);
  absentIsUndefined(() => sys.rmdirat(parentFd, name));
}

/** Takes over `rootFd`. */
function emptyDirectory(rootFd: number, rootPath: string, context: TaskContext<Progress>): void {
  const chain = new DirChain(rootFd);
  try {
    const boundary = new MountBoundary(rootFd);
    const stack: Emptying[] = [open(chain, Buffer.alloc(0), Buffer.alloc(0))];
    for (let current = stack.at(-1); current !== undefined; current = stack.at(-1)) {
      context.throwIfCancelled();
      const entry = current.entries.pop();
      if (entry === undefined) {
        stack.pop();
        const { name } = current;
        chain.pop();
        if (stack.length > 0) removeEmptied(chain.fd, name, current.path, rootPath);
        continue;
      }
      const path = joinPath(current.path, entry.name);
      const fd = removeOrEnter(chain.fd, entry, boundary, `${rootPath}/${shown(path)}`);
      if (fd === undefined) continue;
      chain.push(entry.name, fd, sys.fstat(fd));
      stack.push(open(chain, entry.name, path));
    }
  } finally {
    chain.close();
  }
}

function open(chain: DirChain, name: Buffer, path: Buffer): Emptying {
  // Root needs no permission; others could not remove what lies in their own read-only directories.
  if (!IS_ROOT && (sys.fstat(chain.fd).mode & 0o300) !== 0o300) sys.fchmod(chain.fd, 0o700);
  return { name, path, entries: sys.readDirectory(chain.fd) };
}

/** @returns the handle of a directory that must be emptied first */
function removeOrEnter(dirfd: number, entry: sys.DirEntry, boundary: MountBoundary, place: string): number | undefined {
  if (entry.type !== sys.S.IFDIR) {
    try {
      absentIsUndefined(() => sys.unlinkat(dirfd, entry.name));
      return undefined;
    } catch (error) {
      // A directory, where the file system tells no types or it took a file's place meanwhile.
      if (errnoOf(error) !== "EISDIR" && entry.type !== 0) throw cannotRemove(place, error);
    }
  }
  try {
    const stat = absentIsUndefined(() => sys.lstatat(dirfd, entry.name));
    if (stat === undefined) return undefined;
    if (boundary.isCrossedBy(stat)) throw mounted(place);
    const fd = absentIsUndefined(() => sys.openat(dirfd, entry.name, OPEN_DIRECTORY));
    if (fd === undefined || !boundary.isCrossedBy(sys.fstat(fd), fd)) return fd;
    sys.close(fd);
    throw mounted(place);
  } catch (error) {
    throw cannotRemove(place, error);
  }
}

function removeEmptied(dirfd: number, name: Buffer, path: Buffer, rootPath: string): void {
  try {
    absentIsUndefined(() => sys.rmdirat(dirfd, name));
  } catch (error) {
    throw cannotRemove(`${rootPath}/${shown(path)}`, error);
  }
}

function absentIsUndefined<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function mounted(place: string): ConvoyError {
  return new ConvoyError("VOLUME_BUSY", `${place} is a mount point: it is not entered and not removed`, {
    hint: `Unmount ${place}, then repeat the removal.`,
  });
}

function cannotRemove(place: string, error: unknown): unknown {
  if (error instanceof ConvoyError) return error;
  if (errnoOf(error) === "EBUSY") return mounted(place);
  if (errnoOf(error) === "ENOTEMPTY") {
    return new ConvoyError("VOLUME_BUSY", `${place} was written to while it was removed`, {
      cause: error,
      hint: "Stop what still uses it, then repeat the removal.",
    });
  }
  if (errnoOf(error) === "EPERM" || errnoOf(error) === "EACCES") {
    return new ConvoyError("UNSUPPORTED", `${place} cannot be removed: ${errnoOf(error)}`, {
      cause: error,
      hint: "It may be immutable (see 'lsattr') or belong to another user; change that, then repeat the removal.",
    });
  }
  return error;
}
