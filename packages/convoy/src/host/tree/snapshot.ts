import { MessageChannel } from "node:worker_threads";
import type { OperationContext } from "../operation.ts";
import { ASSISTANT_SHARED_BYTES, assistantFailed } from "./assistant.ts";
import { type SnapshotRequest, type SnapshotResult, treeWorkers } from "./tasks.ts";

export type { SnapshotRequest, SnapshotResult } from "./tasks.ts";

/**
 * Copies a directory tree into an empty directory, in worker threads, with everything that Linux keeps of it: modes,
 * owners, nanosecond times, extended attributes and ACLs, hard links, holes, FIFOs, device nodes, links, names of any
 * bytes. The source may be in use. When the promise resolves, tree and manifest are durable.
 *
 * The target must be reachable for nobody else (below a directory of mode 0700): it holds set-uid files and files of
 * other users with their modes.
 *
 * @throws NOT_EMPTY (target), NO_SPACE, UNSUPPORTED (an owner, attribute or device node cannot be kept there),
 *   CANCELLED, INTERNAL. The target is left in any state and is the caller's to remove; no manifest is left.
 */
export async function snapshotTree(request: SnapshotRequest, context: OperationContext): Promise<SnapshotResult> {
  const { port1: port, port2: otherPort } = new MessageChannel();
  const shared = new SharedArrayBuffer(ASSISTANT_SHARED_BYTES);
  const ended = new AbortController();
  let assistance: Promise<void> | undefined;
  const assist = () => {
    assistance = treeWorkers
      .run("assist", { port: otherPort, shared }, { signal: ended.signal, transfer: [otherPort] })
      .catch((error: unknown) => {
        if (ended.signal.aborted) return;
        context.log.error({ err: error }, "a thread that copied files for a snapshot failed");
        assistantFailed(shared);
      });
  };
  const input = { ...request, channel: { port, shared } };
  try {
    return await treeWorkers.run("snapshot", input, {
      signal: context.signal,
      transfer: [port],
      progress: (progress) => {
        if (progress === "assist") assist();
        else context.progress(progress);
      },
    });
  } finally {
    ended.abort();
    await assistance;
    otherPort.close();
  }
}
