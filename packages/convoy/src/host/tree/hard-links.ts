import * as sys from "../sys.ts";
import type { ManifestEntry } from "./manifest.ts";

interface Known {
  entry: ManifestEntry;
  ctimeNs: bigint;
  birthNs: bigint;
  /** Names of the inode that were not met yet. */
  left: number;
}

/** Remembers the first name of every inode that has more than one. */
export class HardLinks {
  readonly #known = new Map<string, Known>();

  /** The first name of `stat`'s inode as it was copied, or undefined. */
  find(stat: sys.Stat): ManifestEntry | undefined {
    if (stat.nlink < 2) return undefined;
    const known = this.#known.get(keyOf(stat));
    if (known === undefined) return undefined;
    // The number may belong to another file by now, if the first one was removed meanwhile.
    const isSameInode = known.ctimeNs === stat.ctimeNs || (known.birthNs !== 0n && known.birthNs === stat.birthNs);
    return isSameInode ? known.entry : undefined;
  }

  /** Notes that one more name was linked. */
  met(stat: sys.Stat): void {
    const known = this.#known.get(keyOf(stat));
    if (known !== undefined && --known.left === 0) this.#known.delete(keyOf(stat));
  }

  add(stat: sys.Stat, entry: ManifestEntry): void {
    if (stat.nlink < 2) return;
    const { ctimeNs, birthNs } = stat;
    this.#known.set(keyOf(stat), { entry, ctimeNs, birthNs, left: stat.nlink - 1 });
  }
}

function keyOf(stat: sys.Stat): string {
  return `${stat.devMajor}:${stat.devMinor}:${stat.ino}`;
}

/**
 * Links `from` (a path below the tree's root) as `name` in another directory of the tree, following no link.
 * @returns false where the file system takes no further link
 */
export function linkWithin(rootFd: number, from: Buffer, toDirFd: number, name: Buffer): boolean {
  let dirfd = rootFd;
  let rest = from;
  try {
    for (let slash = rest.indexOf(0x2f); slash >= 0; slash = rest.indexOf(0x2f)) {
      const next = sys.openat(dirfd, rest.subarray(0, slash), sys.O.PATH | sys.O.DIRECTORY | sys.O.NOFOLLOW);
      if (dirfd !== rootFd) sys.close(dirfd);
      dirfd = next;
      rest = rest.subarray(slash + 1);
    }
    sys.linkat(dirfd, rest, toDirFd, name);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (["EMLINK", "EPERM", "EOPNOTSUPP", "ENOSYS"].includes(code)) return false;
    throw error;
  } finally {
    if (dirfd !== rootFd) sys.close(dirfd);
  }
}
