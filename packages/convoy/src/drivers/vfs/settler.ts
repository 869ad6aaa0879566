const FIRST_MS = 1_000;
const LAST_MS = 60_000;

/** Repeats a clean-up until it says that all is clean, less and less often. */
export class Settler {
  readonly #work: () => Promise<boolean>;
  #timer: NodeJS.Timeout | undefined;
  #waitMs = FIRST_MS;
  #stopped = false;

  /** @param work true if nothing is left to do; logs its own failures, and may throw. */
  constructor(work: () => Promise<boolean>) {
    this.#work = work;
  }

  /** Lets the work run in a moment; once, however often it is asked for. */
  soon(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#timer = setTimeout(() => void this.#run(), this.#waitMs);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    const clean = await this.#work().catch(() => false);
    this.#timer = undefined;
    this.#waitMs = clean ? FIRST_MS : Math.min(this.#waitMs * 2, LAST_MS);
    if (!clean) this.soon();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
