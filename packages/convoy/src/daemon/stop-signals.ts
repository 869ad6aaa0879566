import type { Logger } from "../host/log.ts";

/**
 * SIGTERM and SIGINT ask the daemon to stop; a second one ends it at once with exit code 1, which leaves what a crash
 * leaves. SIGHUP calls `onHangup`.
 */
export class StopSignals {
  readonly #controller = new AbortController();
  readonly #listeners: [NodeJS.Signals, () => void][] = [];
  #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
    for (const name of ["SIGTERM", "SIGINT"] as const) this.#listen(name, () => this.#stop(name));
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  set log(log: Logger) {
    this.#log = log;
  }

  onHangup(action: () => void): void {
    this.#listen("SIGHUP", action);
  }

  /** Resolves with the first signal. */
  requested(): Promise<void> {
    return new Promise((resolve) => {
      if (this.signal.aborted) resolve();
      else this.signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** Gives the signals back to the process. */
  close(): void {
    for (const [name, listener] of this.#listeners) process.removeListener(name, listener);
  }

  #listen(name: NodeJS.Signals, listener: () => void): void {
    process.on(name, listener);
    this.#listeners.push([name, listener]);
  }

  #stop(name: string): void {
    if (this.signal.aborted) {
      this.#log.warn({ signal: name }, "second signal: ending at once");
      process.exit(1);
    }
    this.#log.info({ signal: name }, "shutting down");
    this.#controller.abort();
  }
}
