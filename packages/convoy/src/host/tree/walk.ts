import { readFileSync } from "node:fs";
import * as sys from "../sys.ts";
import { OPEN_DIRECTORY } from "./dir-chain.ts";

const EMPTY = Buffer.alloc(0);
const SLASH = Buffer.from("/");

/** Path of a name in a directory of the tree; the root's path is empty. */
export function joinPath(directory: Buffer, name: Buffer): Buffer {
  return directory.length === 0 ? name : Buffer.concat([directory, SLASH, name]);
}

/** Directory and name of a path of the tree. */
export function splitPath(path: Buffer): { directory: Buffer; name: Buffer } {
  const slash = path.lastIndexOf(0x2f);
  if (slash < 0) return { directory: EMPTY, name: path };
  return { directory: path.subarray(0, slash), name: path.subarray(slash + 1) };
}

/**
 * Opens the root of a tree. A path that is a handle of this process (`/proc/self/fd/N`) names that very directory; of
 * any other path the last part must not be a link.
 */
export function openRoot(path: string): number {
  const isHandle = /^\/proc\/self\/fd\/[0-9]+$/.test(path);
  return sys.openat(sys.AT_FDCWD, path, isHandle ? OPEN_DIRECTORY & ~sys.O.NOFOLLOW : OPEN_DIRECTORY);
}

/** Names in an open directory, in the order of their bytes; so every walk of the same tree has the same order. */
export function listSorted(fd: number): sys.DirEntry[] {
  sys.rewindDirectory(fd);
  return sys.readDirectory(fd).sort((a, b) => Buffer.compare(a.name, b.name));
}

/** Tells which mount a file was reached through, on kernels whose statx(2) does not. */
function mountIdOf(fd: number): bigint {
  const match = /^mnt_id:\s*([0-9]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "latin1"));
  return BigInt(match?.[1] ?? -1);
}

/**
 * Keeps a walk on the mount that it began on. Bind mounts share the device number, and the parts of one btrfs file
 * system do not, so mounts are compared and not devices.
 */
export class MountBoundary {
  readonly #root: sys.Stat;
  readonly #rootMount: bigint;

  constructor(rootFd: number) {
    this.#root = sys.fstat(rootFd);
    this.#rootMount = this.#root.mountId || mountIdOf(rootFd);
  }

  /** True if `stat` was reached through another mount; `fd` is the same file, opened, where it is open. */
  isCrossedBy(stat: sys.Stat, fd?: number): boolean {
    if (stat.mountId !== 0n) return stat.mountId !== this.#rootMount;
    if (fd !== undefined) return mountIdOf(fd) !== this.#rootMount;
    return stat.devMajor !== this.#root.devMajor || stat.devMinor !== this.#root.devMinor;
  }
}

/** A list that an answer can hold: counts everything, names the first ones. */
export class NameList {
  readonly names: string[] = [];
  count = 0;

  add(name: string): void {
    this.count++;
    if (this.names.length < 1000) this.names.push(name);
  }
}

/** A tree's path as messages show it. */
export function shown(path: Buffer): string {
  return path.length === 0 ? "." : path.toString();
}
