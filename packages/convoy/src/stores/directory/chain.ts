import { errnoOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";

/** More known directories than this are forgotten; the price is an fsync that was not needed. */
const REMEMBERED = 10_000;
/** As in v0.5.2: so many empty parents go with an object. */
const EMPTY_PARENTS = 10;
/** `convoy-objectstore` and the directories directly in it stay when they are empty. */
const KEPT_LEVELS = 2;

/** The directories from a store's base down to an object's parent, all held open. */
export interface Chain {
  /** `dirs[0]` is the base, `dirs[i]` the directory that `names[i - 1]` names. */
  dirs: Dir[];
  names: readonly string[];
  parent: Dir;
  close(): Promise<void>;
}

/**
 * Opens and makes chains of directories, and knows which of them are on disk for good.
 *
 * A directory that another writer has just made may not be: before something in it is acknowledged, the directories
 * above are synced too, once per directory (told apart by inode and time of birth).
 */
export class Chains {
  readonly #base: Dir;
  readonly #durable = new Map<string, string>();

  constructor(base: Dir) {
    this.#base = base;
  }

  /** @returns undefined if a directory on the way is not there */
  async open(names: readonly string[]): Promise<Chain | undefined> {
    try {
      return await this.#walk(names, false);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Makes what is missing. ENOENT means that somebody removed one of them meanwhile: try again. */
  make(names: readonly string[]): Promise<Chain> {
    return this.#walk(names, true);
  }

  async #walk(names: readonly string[], create: boolean): Promise<Chain> {
    const dirs = [this.#base];
    const close = async () => {
      for (const dir of dirs.splice(1)) await dir.close();
    };
    try {
      let parent = this.#base;
      for (const name of names) {
        const dir = await parent.sub(name, { create });
        dirs.push(dir);
        if (create) await this.#makeDurable(parent, dir);
        parent = dir;
      }
      return { dirs, names, parent, close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async #makeDurable(parent: Dir, dir: Dir): Promise<void> {
    const { ino, birthtimeNs } = await dir.statSelf();
    const identity = `${ino}:${birthtimeNs}`;
    if (this.#durable.get(dir.path) === identity) return;
    await parent.sync();
    if (this.#durable.size >= REMEMBERED) this.#durable.clear();
    this.#durable.set(dir.path, identity);
  }
}

/** Removes the directories that a deletion has left empty, from the object's parent upwards. */
export async function removeEmpty(chain: Chain): Promise<void> {
  const last = Math.max(KEPT_LEVELS, chain.names.length - EMPTY_PARENTS);
  for (let level = chain.names.length; level > last; level -= 1) {
    try {
      await chain.dirs[level - 1]!.removeDir(chain.names[level - 1]!);
    } catch (error) {
      const code = errnoOf(error);
      // Somebody has put something in, or it is a mount point: it stays.
      if (code === "ENOTEMPTY" || code === "EEXIST" || code === "EBUSY") return;
      throw error;
    }
  }
}
