import { stat } from "node:fs/promises";
import { closeShare, type OpenShare, STATE_DIRECTORY } from "./share.ts";

/** So long the handles outlive the last operation: short enough that nobody meets a busy share when he unmounts it. */
const IDLE_MS = 500;

interface Kept {
  share: OpenShare;
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
    if (await this.#isSame(kept.share)) return kept;
    this.#forget(kept);
    await this.release(kept);
    return undefined;
  }

  /** Takes over a tree that was just opened, with the caller as its first user. */
  keep(share: OpenShare, forChange: boolean): Kept {
    const kept: Kept = { share, forChange, users: 1 };
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

  async #isSame({ base, state }: OpenShare): Promise<boolean> {
    const same = async (path: string, handle: OpenShare["base"]) => {
      const [now, kept] = await Promise.all([stat(path, { bigint: true }), handle.statSelf()]);
      return now.ino === kept.ino && now.dev === kept.dev && kept.nlink > 0n;
    };
    try {
      const results = await Promise.all([
        same(this.#path, base),
        same(`${this.#path}/config/${STATE_DIRECTORY}`, state),
      ]);
      return results.every((result) => result);
    } catch {
      return false;
    }
  }
}
