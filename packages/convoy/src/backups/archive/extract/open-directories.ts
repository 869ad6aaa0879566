import { errnoOf } from "../../../errors.ts";
import * as sys from "../../../host/sys.ts";
import type { TreeEntry } from "../../../host/tree/entry.ts";
import { damaged, hostile, shown } from "../errors.ts";
import { openDeep } from "../open-deep.ts";
import { setMetadata } from "./metadata.ts";

const DIRECTORY = sys.O.RDONLY | sys.O.DIRECTORY | sys.O.NOFOLLOW;
const ACCESS_ACL = "system.posix_acl_access";
const DEFAULT_ACL = "system.posix_acl_default";

/** A directory that members may still be written into. */
interface Entered {
  path: Buffer;
  /** What it gets when it is left; without it, its time and default ACL are put back as they were found. */
  entry: TreeEntry | undefined;
  found: { mtimeNs: bigint; atimeNs: bigint; defaultAcl: Buffer | undefined };
}

/**
 * The directories from the root down to where members are being written. A directory gets its owner, mode, time and
 * ACLs when the archive has left it: writing into it would change its time, and a default ACL would be inherited by
 * what is written.
 */
export class OpenDirectories {
  readonly #root: number;
  readonly #atimeNs: bigint;
  readonly #stack: Entered[] = [];
  /** Handle of the directory written to last; undefined after that changed. */
  #current: { path: Buffer; fd: number } | undefined;

  /** @param root Descriptor of an empty directory; stays the caller's. */
  constructor(root: number, atimeNs: bigint) {
    this.#root = root;
    this.#atimeNs = atimeNs;
    removeXattr(root, ACCESS_ACL);
    this.#enter(Buffer.alloc(0), root);
  }

  /** Descriptor of a directory that members are written into; valid until the next call. */
  parent(path: Buffer): number {
    if (this.#current?.path.equals(path)) return this.#current.fd;
    this.#leaveUpTo(path);
    const fd = this.#open(path);
    this.#current = { path, fd };
    if (!this.#stack.at(-1)!.path.equals(path)) this.#enter(path, fd);
    return fd;
  }

  /** To be told of each directory just made, or met again; it gets the entry's metadata when it is left. */
  made(entry: TreeEntry): void {
    const fd = this.parent(entry.path);
    this.#stack.at(-1)!.entry = entry;
    if (entry.path.length > 0) removeXattr(fd, ACCESS_ACL);
  }

  /** Leaves all directories, the root last. */
  finish(): void {
    this.close();
    while (this.#stack.length > 0) this.#leave(this.#stack.pop()!);
  }

  /** Gives the handle back. */
  close(): void {
    if (this.#current) sys.close(this.#current.fd);
    this.#current = undefined;
  }

  #open(path: Buffer): number {
    try {
      return openDeep(this.#root, path, DIRECTORY);
    } catch (error) {
      const code = errnoOf(error);
      if (code === "ENOENT")
        throw damaged(`the directory ${shown(path)} comes after its content, or not at all`, error);
      if (code === "ELOOP" || code === "ENOTDIR" || code === "EXDEV") {
        throw hostile(`a member would be written through ${shown(path)}, which is not a directory of the volume`);
      }
      throw error;
    }
  }

  #enter(path: Buffer, fd: number): void {
    const { mtimeNs, atimeNs } = sys.fstat(fd);
    this.#stack.push({ path, entry: undefined, found: { mtimeNs, atimeNs, defaultAcl: removeXattr(fd, DEFAULT_ACL) } });
  }

  #leaveUpTo(path: Buffer): void {
    this.close();
    while (!contains(this.#stack.at(-1)!.path, path)) this.#leave(this.#stack.pop()!);
  }

  #leave({ path, entry, found }: Entered): void {
    const fd = this.#open(path);
    try {
      if (entry) setMetadata(fd, entry, this.#atimeNs);
      else {
        if (found.defaultAcl) sys.fsetxattr(fd, DEFAULT_ACL, found.defaultAcl);
        sys.futimens(fd, found.atimeNs, found.mtimeNs);
      }
    } finally {
      sys.close(fd);
    }
  }
}

function contains(directory: Buffer, path: Buffer): boolean {
  if (directory.length === 0 || directory.equals(path)) return true;
  return path[directory.length] === 0x2f && path.subarray(0, directory.length).equals(directory);
}

/** Removes one xattr. @returns its value; undefined if there is none. */
function removeXattr(fd: number, name: string): Buffer | undefined {
  const value = sys.fxattrs(fd).get(name);
  if (value !== undefined) sys.fremovexattr(fd, name);
  return value;
}
