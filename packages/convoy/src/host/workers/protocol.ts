import type { Transferable } from "node:worker_threads";
import type { WireError } from "./wire-error.ts";

/**
 * The tasks of one worker program: task name -> what goes in, what comes out, what is reported on the way. Everything
 * is moved by structured clone: Buffers arrive as plain Uint8Arrays, functions and class instances do not travel.
 * Write it as a type alias (an interface has no index signature).
 */
export type TaskMap = Record<string, { input: unknown; output: unknown; progress: unknown }>;

/** Main thread to worker. A worker has one task at a time, so messages need no number. */
export interface TaskMessage {
  task: string;
  input: unknown;
  /** One shared 32-bit cell; not 0 once the task is to stop. */
  cancel: Int32Array<SharedArrayBuffer>;
}

/** Worker to main thread. */
export type WorkerMessage =
  | { type: "progress"; value: unknown }
  | { type: "done"; output: unknown }
  | { type: "failed"; error: WireError };

/** What a task handler is given beside its input. */
export interface TaskContext<P> {
  /** True once the task is to stop. A read of shared memory: cheap enough for every file and every piece. */
  readonly cancelled: boolean;
  /** @throws CANCELLED once the task is to stop */
  throwIfCancelled(): void;
  /** Sends a report to the main thread. Buffers in `transfer` are moved, not copied, and are unusable afterwards. */
  progress(value: P, transfer?: readonly Transferable[]): void;
  /** Put in here what the result should move instead of copy. */
  readonly transfer: Transferable[];
}

export type TaskHandlers<M extends TaskMap> = {
  [K in keyof M]: (
    input: M[K]["input"],
    context: TaskContext<M[K]["progress"]>,
  ) => M[K]["output"] | Promise<M[K]["output"]>;
};
