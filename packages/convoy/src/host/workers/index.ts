/** Synchronous heavy work in threads: see WorkerPool (main thread) and serveTasks (in a `*.worker.ts`). */
export type { TaskContext, TaskHandlers, TaskMap } from "./protocol.ts";
export { serveTasks } from "./serve.ts";
export { type TaskOptions, WorkerPool, type WorkerPoolOptions } from "./worker-pool.ts";
export { workerUrl } from "./worker-url.ts";
