import * as sys from "../sys.ts";
import type { ManifestEntry } from "./manifest.ts";
import { entryOf, isSameState, isVanished, REREADS } from "./source.ts";
import { listSorted } from "./walk.ts";

/** A directory while it is copied: what is still to be done, and whether it held still (R15). */
export class CopyingDirectory {
  readonly path: Buffer;
  /** As it was when it was entered; the copy gets these values when its content is complete. */
  readonly stat: sys.Stat;
  readonly entry: ManifestEntry;
  /** As it was directly before it was last listed. */
  #listed: sys.Stat;
  /** Names that were listed so far, as latin1. */
  readonly #seen = new Set<string>();
  #pending: sys.DirEntry[];
  #rereads = 0;
  #stable = true;
  #lost = false;

  constructor(path: Buffer, fd: number, stat: sys.Stat) {
    this.path = path;
    this.stat = stat;
    this.entry = entryOf("directory", path, stat, sys.fxattrs(fd));
    this.#listed = stat;
    this.#pending = listNew(fd, this.#seen);
  }

  /** False if the copy is not what the directory ever was. */
  get stable(): boolean {
    return this.#stable;
  }

  next(): sys.DirEntry | undefined {
    return this.#pending.pop();
  }

  /** `name` was listed, but gone when it was to be copied: should it be there again, it is new. */
  forget(name: Buffer): void {
    this.#seen.delete(name.toString("latin1"));
  }

  /** The directory was moved away while its handle was closed: what is left of it cannot be reached. */
  lose(): void {
    this.#lost = true;
    this.#pending = [];
  }

  /**
   * Called when nothing is pending. If the directory changed since it was listed, it is listed again, a limited number
   * of times, and what is new is pending. What is gone was copied already and stays.
   */
  isComplete(fd: number): boolean {
    if (this.#lost) {
      this.#stable = false;
      return true;
    }
    const present = sys.fstat(fd);
    if (isSameState(this.#listed, present)) return true;
    if (this.#rereads < REREADS && this.#listAgain(fd, present)) return false;
    this.#stable = false;
    return true;
  }

  /** @returns false if the directory itself is gone */
  #listAgain(fd: number, present: sys.Stat): boolean {
    this.#rereads++;
    this.#listed = present;
    try {
      const names = new Set<string>();
      listNew(fd, names);
      for (const name of this.#seen) if (!names.has(name)) this.#stable = false;
      this.#pending = listNew(fd, this.#seen);
      return true;
    } catch (error) {
      if (isVanished(error)) return false;
      throw error;
    }
  }
}

/** Names that are not in `seen` yet, to be taken from the end: files in the order of their bytes, then directories. */
function listNew(fd: number, seen: Set<string>): sys.DirEntry[] {
  const files: sys.DirEntry[] = [];
  const directories: sys.DirEntry[] = [];
  for (const entry of listSorted(fd)) {
    const key = entry.name.toString("latin1");
    if (seen.has(key)) continue;
    seen.add(key);
    (entry.type === sys.S.IFDIR ? directories : files).push(entry);
  }
  return [...directories.reverse(), ...files.reverse()];
}
