import { constants } from "node:os";
import * as sys from "../sys.ts";

/** Handles kept open per chain; directories further up are reopened on the way back. */
const MAX_OPEN = 64;

export const OPEN_DIRECTORY = sys.O.RDONLY | sys.O.DIRECTORY | sys.O.NOFOLLOW | sys.O.NONBLOCK;

interface Link {
  name: Buffer;
  /** -1 while closed. */
  fd: number;
  ino: bigint;
  devMajor: number;
  devMinor: number;
}

/**
 * The directories from a root down to the present one, held by handle: one component at a time and never through a
 * link, however deep the tree is and whatever is renamed meanwhile. Only the deepest ones are open.
 */
export class DirChain {
  readonly #links: Link[] = [];

  /** Takes over `rootFd`. */
  constructor(rootFd: number) {
    this.push(Buffer.alloc(0), rootFd, sys.fstat(rootFd));
  }

  /** Handle of the present directory. */
  get fd(): number {
    return this.#links.at(-1)!.fd;
  }

  /** Number of directories, the root included. */
  get depth(): number {
    return this.#links.length;
  }

  /** Takes over `fd`, opened as `name` below the present directory. */
  push(name: Buffer, fd: number, stat: sys.Stat): void {
    this.#links.push({ name, fd, ino: stat.ino, devMajor: stat.devMajor, devMinor: stat.devMinor });
    // The root always stays open: it is the way back if a directory was moved.
    const old = this.#links[this.#links.length - MAX_OPEN];
    if (old !== undefined && old !== this.#links[0] && old.fd >= 0) {
      sys.close(old.fd);
      old.fd = -1;
    }
  }

  /**
   * Goes up one directory. Going up from the root leaves the chain empty and closed.
   * @throws ENOENT if the parent had been closed and was moved away; the chain can still go up from there.
   */
  pop(): void {
    const left = this.#links.pop()!;
    try {
      const parent = this.#links.at(-1);
      if (parent !== undefined && parent.fd < 0) parent.fd = this.#reopen(parent, left.fd);
    } finally {
      if (left.fd >= 0) sys.close(left.fd);
    }
  }

  close(): void {
    for (const link of this.#links.splice(0)) if (link.fd >= 0) sys.close(link.fd);
  }

  #reopen(link: Link, childFd: number): number {
    if (childFd >= 0) {
      const fd = sys.openat(childFd, "..", OPEN_DIRECTORY);
      if (isSame(link, sys.fstat(fd))) return fd;
      sys.close(fd);
    }
    return this.#descend();
  }

  /** From the root down by names, each directory compared with the one it was. */
  #descend(): number {
    let fd = this.#links[0]!.fd;
    for (const link of this.#links.slice(1)) {
      let next: number;
      try {
        next = sys.openat(fd, link.name, OPEN_DIRECTORY);
      } finally {
        if (fd !== this.#links[0]!.fd) sys.close(fd);
      }
      fd = next;
      if (!isSame(link, sys.fstat(fd))) {
        sys.close(fd);
        throw Object.assign(new Error("ENOENT: a directory was moved away"), {
          code: "ENOENT",
          errno: constants.errno.ENOENT,
        });
      }
    }
    return fd;
  }
}

function isSame(link: Link, stat: sys.Stat): boolean {
  return link.ino === stat.ino && link.devMajor === stat.devMajor && link.devMinor === stat.devMinor;
}
