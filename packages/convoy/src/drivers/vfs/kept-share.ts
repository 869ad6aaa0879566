import { stat } from "node:fs/promises";
import { closeShare, type OpenShare, STATE_DIRECTORY } from "./share.ts";

/** So long the handles outlive the last operation: short enough that nobody meets a busy share when he unmounts it. */
const IDLE_MS = 500;

interface Kept {
  share: OpenShare;
  /** Device and inode of `base` and `state`. */
  marks: string[];
  /** The marker was checked (and learnt) as a change demands it. */
  forChange: boolean;
  users: number;
  timer?: NodeJS.Timeout;
}

/**
 * Keeps the opened and checked tree for operations that follow at once, because opening it is most of what a small
 * operation costs. Kept handles are used only while the paths still lead to the very same directories: another disk in
 * the place, or directories made anew, are opened and checked anew (R11).
 */
export class KeptShare {
  readonly #path: string;
  #kept: Kept | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** @returns the tree, to be given back with `release`; undefined if it has to be opened. */
  async acquire(forChange: boolean): Promise<Kept | undefined> {
    const kept = this.#kept;
    if (kept === undefined || (forChange && !kept.forChange)) return undefined;
    kept.users++;
    if (await this.#isSame(kept)) return kept;
    this.#forget(kept);
    await this.release(kept);
    return undefined;
  }

  /** Takes over a tree that was just opened, with the caller as its first user. */
  async keep(share: OpenShare, forChange: boolean): Promise<Kept> {
    const kept: Kept = { share, forChange, users: 1, marks: await handleMarks(share) };
    const former = this.#kept;
    this.#kept = kept;
    if (former?.users === 0) void this.#close(former);
    return kept;
  }

  async release(kept: Kept): Promise<void> {
    kept.users--;
    if (kept.users > 0) return;
    if (this.#kept !== kept) return this.#close(kept);
    clearTimeout(kept.timer);
    kept.timer = setTimeout(() => {
      if (kept.users > 0) return;
      this.#forget(kept);
      void this.#close(kept);
    }, IDLE_MS);
    kept.timer.unref();
  }

  /** Gives the handles back now, or when their last user has ended. */
  async close(): Promise<void> {
    const kept = this.#kept;
    this.#kept = undefined;
    if (kept?.users === 0) await this.#close(kept);
  }

  #forget(kept: Kept): void {
    if (this.#kept === kept) this.#kept = undefined;
  }

  async #close(kept: Kept): Promise<void> {
    clearTimeout(kept.timer);
    await closeShare(kept.share);
  }

  async #isSame({ marks }: Kept): Promise<boolean> {
    try {
      const now = await placeMarks(this.#path);
      // The handles keep the inodes from being given to anything else.
      return now.every((mark, index) => mark === marks[index]);
    } catch {
      return false;
    }
  }
}

/** Device and inode of the directories that the paths lead to now. */
async function placeMarks(path: string): Promise<string[]> {
  const places = [path, `${path}/config/${STATE_DIRECTORY}`];
  const stats = await Promise.all(places.map((place) => stat(place, { bigint: true })));
  return stats.map(({ dev, ino }) => `${dev}:${ino}`);
}

async function handleMarks({ base, state }: OpenShare): Promise<string[]> {
  const stats = await Promise.all([base.statSelf(), state.statSelf()]);
  return stats.map(({ dev, ino }) => `${dev}:${ino}`);
}
