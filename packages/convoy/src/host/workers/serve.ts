import { parentPort } from "node:worker_threads";
import { ConvoyError } from "../../errors.ts";
import type { TaskContext, TaskHandlers, TaskMap, TaskMessage, WorkerMessage } from "./protocol.ts";
import { encodeError } from "./wire-error.ts";

/** The last line of every `*.worker.ts`: answers tasks of the main thread, one after the other. */
export function serveTasks<M extends TaskMap>(handlers: TaskHandlers<M>): void {
  const port = parentPort;
  if (port === null) throw new Error("serveTasks works in a worker thread only");
  const send = (message: WorkerMessage, transfer: TaskContext<unknown>["transfer"] = []) =>
    port.postMessage(message, transfer);

  port.on("message", async ({ task, input, cancel }: TaskMessage) => {
    const context: TaskContext<unknown> = {
      get cancelled() {
        return Atomics.load(cancel, 0) !== 0;
      },
      throwIfCancelled() {
        if (Atomics.load(cancel, 0) !== 0) throw new ConvoyError("CANCELLED", "The operation was cancelled");
      },
      progress: (value, transfer) => send({ type: "progress", value }, [...(transfer ?? [])]),
      transfer: [],
    };
    try {
      const handler = handlers[task];
      if (handler === undefined) throw new ConvoyError("INTERNAL", `This worker knows no task '${task}'`);
      const output = await handler(input, context);
      send({ type: "done", output }, context.transfer);
    } catch (error) {
      send({ type: "failed", error: encodeError(error) });
    }
  });
}
