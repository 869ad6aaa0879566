import { writeSync } from "node:fs";
import { ConvoyError, errnoOf } from "../../../errors.ts";
import * as sys from "../../../host/sys.ts";
import type { TreeEntry } from "../../../host/tree/entry.ts";
import { damaged, shown } from "../errors.ts";
import { openDeep } from "../open-deep.ts";
import { splitPath } from "../tar/names.ts";
import type { TarHandler } from "../tar/reader.ts";
import { setMetadata, setMetadataAt } from "./metadata.ts";
import { OpenDirectories } from "./open-directories.ts";
import { noSpace, SpaceGuard } from "./space-guard.ts";

const NEW_FILE = sys.O.WRONLY | sys.O.CREAT | sys.O.EXCL | sys.O.NOFOLLOW;

const NODE_TYPES = { fifo: sys.S.IFIFO, character: sys.S.IFCHR, block: sys.S.IFBLK } as const;

/**
 * Writes the members of an archive below one directory. Every name is made new in a directory that is opened from the
 * root without following links, so that no member can lead another astray (R27). A second member of the same name
 * replaces the first, as tar does, unless one of them is a directory. Synchronous: runs in a worker thread.
 */
export class TreeWriter implements TarHandler {
  readonly #root: number;
  readonly #reserve: number;
  readonly #space: SpaceGuard;
  readonly #directories: OpenDirectories;
  /** Access time of everything restored: now. */
  readonly #atimeNs = BigInt(Date.now()) * 1_000_000n;
  #file: { fd: number; entry: TreeEntry } | undefined;
  /** Counted so far: members and bytes of file data. */
  entries = 0;
  bytes = 0;

  /**
   * @param root Descriptor of the empty directory to fill; stays the caller's, and is used here only: if a hanging disk
   *   keeps the thread beyond the caller's patience, that number may by then be another file's.
   * @param reserve Bytes that must stay free on its file system.
   */
  constructor(root: number, reserve: number) {
    this.#root = sys.openat(root, ".", sys.O.RDONLY | sys.O.DIRECTORY);
    this.#reserve = reserve;
    this.#space = new SpaceGuard(this.#root, reserve);
    try {
      this.#directories = new OpenDirectories(this.#root, this.#atimeNs);
    } catch (error) {
      sys.close(this.#root);
      throw error;
    }
  }

  entry(entry: TreeEntry): void {
    this.#guarded(() => {
      this.entries++;
      this.#space.claim(1);
      if (entry.path.length === 0) this.#rootEntry(entry);
      else this.#make(entry, splitPath(entry.path));
    });
  }

  data(chunk: Buffer, offset: number): void {
    this.#guarded(() => {
      this.#space.claim(chunk.length);
      for (let done = 0; done < chunk.length; ) {
        done += writeSync(this.#file!.fd, chunk, done, chunk.length - done, offset + done);
      }
      this.bytes += chunk.length;
    });
  }

  entryEnd(): void {
    const file = this.#file;
    if (!file) return;
    this.#guarded(() => {
      if (file.entry.sparse) sys.ftruncate(file.fd, file.entry.size);
      setMetadata(file.fd, file.entry, this.#atimeNs);
    });
    this.#file = undefined;
    sys.close(file.fd);
  }

  /** Sets what directories get when they are complete, then waits until everything is on the disk. */
  finish(): void {
    this.#guarded(() => {
      this.#directories.finish();
      sys.syncfs(this.#root);
    });
  }

  /** Gives all handles back, at any time; nothing else may be called afterwards. */
  close(): void {
    if (this.#file) sys.close(this.#file.fd);
    this.#file = undefined;
    this.#directories.close();
    sys.close(this.#root);
  }

  #rootEntry(entry: TreeEntry): void {
    if (entry.type !== "directory" || entry.hardLinkTo) throw damaged("the volume's root is not a directory in it");
    this.#directories.made(entry);
  }

  #make(entry: TreeEntry, { parent, name }: { parent: Buffer; name: Buffer }): void {
    const directory = this.#directories.parent(parent);
    if (entry.hardLinkTo) this.#hardLink(entry.path, entry.hardLinkTo, directory, name);
    else if (entry.type === "directory") {
      makeDirectory(directory, name, entry.path);
      this.#directories.made(entry);
    } else if (entry.type === "file") {
      const fd = this.#replacing(entry.path, directory, name, () => sys.openat(directory, name, NEW_FILE, 0o600));
      this.#file = { fd, entry };
    } else {
      this.#replacing(entry.path, directory, name, () => makeNode(directory, name, entry));
      setMetadataAt(directory, name, entry, this.#atimeNs);
    }
  }

  #hardLink(path: Buffer, target: Buffer, directory: number, name: Buffer): void {
    if (path.equals(target)) throw damaged(`the member ${shown(path)} is a link to itself`);
    const first = splitPath(target);
    let from: number;
    let inode: sys.Stat;
    try {
      from = openDeep(this.#root, first.parent, sys.O.PATH | sys.O.DIRECTORY | sys.O.NOFOLLOW);
    } catch (error) {
      throw this.#noTarget(path, target, error);
    }
    try {
      inode = sys.lstatat(from, first.name);
      if ((inode.mode & sys.S.IFMT) === sys.S.IFDIR) throw damaged(`${shown(path)} is a hard link to a directory`);
      if (lstatIfThere(directory, name)?.ino === inode.ino) return;
      this.#replacing(path, directory, name, () => sys.linkat(from, first.name, directory, name));
    } catch (error) {
      throw errnoOf(error) === "ENOENT" ? this.#noTarget(path, target, error) : error;
    } finally {
      sys.close(from);
    }
  }

  #noTarget(path: Buffer, target: Buffer, cause: unknown): ConvoyError {
    return damaged(`${shown(path)} is a hard link to ${shown(target)}, which is not in the volume before it`, cause);
  }

  /** Runs `make`; a non-directory that has the name already is removed first. */
  #replacing<T>(path: Buffer, directory: number, name: Buffer, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    if (isDirectory(directory, name)) throw damaged(`${shown(path)} is in it twice, once as a directory`);
    sys.unlinkat(directory, name);
    return make();
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      const code = errnoOf(error);
      if (code === "ENOSPC" || code === "EDQUOT") throw noSpace(undefined, this.#reserve, error);
      throw error;
    }
  }
}

/** A directory that is there already is taken as it is. */
function makeDirectory(directory: number, name: Buffer, path: Buffer): void {
  try {
    sys.mkdirat(directory, name, 0o700);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
    if (!isDirectory(directory, name)) throw damaged(`${shown(path)} is in it twice, once as a directory`);
  }
}

function makeNode(directory: number, name: Buffer, entry: TreeEntry): void {
  if (entry.type === "symlink") {
    sys.symlinkat(entry.target!, directory, name);
    return;
  }
  const type = NODE_TYPES[entry.type as keyof typeof NODE_TYPES];
  try {
    sys.mknodat(directory, name, type | 0o600, entry.device?.major ?? 0, entry.device?.minor ?? 0);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") throw error;
    throw new ConvoyError("UNSUPPORTED", `The device ${shown(entry.path)} cannot be made here (EPERM)`, {
      hint: "Restore as root, outside of containers that may not make devices.",
      cause: error,
    });
  }
}

function lstatIfThere(directory: number, name: Buffer): sys.Stat | undefined {
  try {
    return sys.lstatat(directory, name);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function isDirectory(directory: number, name: Buffer): boolean {
  const stat = lstatIfThere(directory, name);
  return stat !== undefined && (stat.mode & sys.S.IFMT) === sys.S.IFDIR;
}
