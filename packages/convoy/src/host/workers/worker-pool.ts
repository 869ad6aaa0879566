import type { Transferable } from "node:worker_threads";
import { ConvoyError } from "../../errors.ts";
import type { TaskMap } from "./protocol.ts";
import { WorkerThread } from "./worker-thread.ts";

/** Idle threads end after this time: an idle daemon stays small, and work that follows soon finds a warm thread. */
const IDLE_MS = 3_000;
/** A cancelled task that does not stop within this time (a hanging disk or share) is no longer waited for. */
const CANCEL_GRACE_MS = 30_000;

export interface WorkerPoolOptions {
  /** Name of the program in messages and of its threads. */
  name: string;
  /** See `workerUrl`. */
  url: URL;
  /** Tasks beyond this many wait for a free thread, first come, first served. */
  maxThreads: number;
  /** Idle threads end after this time; IDLE_MS if left out. */
  idleMs?: number;
}

export interface TaskOptions<P> {
  signal: AbortSignal;
  progress?: (value: P) => void;
  /** Moved to the worker instead of copied; unusable here afterwards. */
  transfer?: readonly Transferable[];
}

interface WaitingCaller {
  grant(thread: WorkerThread): void;
}

/**
 * Runs synchronous heavy work (copying trees, compressing, hashing) in threads that are started on demand and ended
 * when idle.
 *
 * Worker threads share the process's file descriptors: a descriptor number in a task's input works there, and must
 * stay open until the task has settled.
 */
export class WorkerPool<M extends TaskMap> {
  readonly #options: WorkerPoolOptions;
  readonly #idle: { thread: WorkerThread; timer: NodeJS.Timeout }[] = [];
  readonly #waiting: WaitingCaller[] = [];
  #busy = 0;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /**
   * Runs one task in one thread.
   * @throws what the task threw (a ConvoyError stays one; errors of the system keep errno code and message); CANCELLED,
   *   or the signal's reason if that is a ConvoyError, after an abort; INTERNAL if the thread crashed.
   */
  async run<K extends keyof M & string>(
    task: K,
    input: M[K]["input"],
    options: TaskOptions<M[K]["progress"]>,
  ): Promise<M[K]["output"]> {
    const { signal } = options;
    const thread = await this.#acquire(signal);
    const cancel = new Int32Array(new SharedArrayBuffer(4));
    const finished = thread
      .run({ task, input, cancel }, options.transfer ?? [], (value) => {
        if (!signal.aborted) options.progress?.(value as M[K]["progress"]);
      })
      .finally(() => this.#release(thread));

    let onAbort = () => {};
    let grace: NodeJS.Timeout | undefined;
    const abandoned = new Promise<never>((_, reject) => {
      onAbort = () => {
        Atomics.store(cancel, 0, 1);
        grace = setTimeout(() => reject(cancellation(signal)), CANCEL_GRACE_MS);
      };
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
    try {
      return (await Promise.race([finished, abandoned])) as M[K]["output"];
    } catch (error) {
      if (error instanceof ConvoyError && error.code === "CANCELLED") throw cancellation(signal);
      throw error;
    } finally {
      clearTimeout(grace);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Ends idle threads now. Running tasks are not touched; cancel them by their signals. */
  async close(): Promise<void> {
    const idle = this.#idle.splice(0);
    for (const { timer } of idle) clearTimeout(timer);
    await Promise.all(idle.map(({ thread }) => thread.terminate()));
  }

  async #acquire(signal: AbortSignal): Promise<WorkerThread> {
    if (signal.aborted) throw cancellation(signal);
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      clearTimeout(idle.timer);
      if (idle.thread.dead) continue;
      this.#busy++;
      return idle.thread;
    }
    if (this.#busy < this.#options.maxThreads) {
      this.#busy++;
      return this.#start();
    }
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(caller), 1);
        reject(cancellation(signal));
      };
      const caller: WaitingCaller = {
        grant(thread) {
          signal.removeEventListener("abort", onAbort);
          resolve(thread);
        },
      };
      signal.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(caller);
    });
  }

  #start(): WorkerThread {
    return new WorkerThread(this.#options.name, this.#options.url);
  }

  #release(thread: WorkerThread): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next.grant(thread.dead ? this.#start() : thread);
      return;
    }
    this.#busy--;
    if (thread.dead) return;
    const timer = setTimeout(() => {
      this.#idle.splice(
        this.#idle.findIndex((idle) => idle.thread === thread),
        1,
      );
      void thread.terminate();
    }, this.#options.idleMs ?? IDLE_MS);
    timer.unref();
    this.#idle.push({ thread, timer });
  }
}

function cancellation(signal: AbortSignal): ConvoyError {
  if (signal.reason instanceof ConvoyError) return signal.reason;
  return new ConvoyError("CANCELLED", "The operation was cancelled", { cause: signal.reason });
}
