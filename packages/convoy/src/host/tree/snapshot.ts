import type { OperationContext } from "../operation.ts";
import { type SnapshotRequest, type SnapshotResult, treeWorkers } from "./tasks.ts";

export type { SnapshotRequest, SnapshotResult } from "./tasks.ts";

/**
 * Copies a directory tree into an empty directory, in a worker thread, with everything that Linux keeps of it: modes,
 * owners, nanosecond times, extended attributes and ACLs, hard links, holes, FIFOs, device nodes, links, names of any
 * bytes. The source may be in use. When the promise resolves, tree and manifest are durable.
 *
 * The target must be reachable for nobody else (below a directory of mode 0700): it holds set-uid files and files of
 * other users with their modes.
 *
 * @throws NOT_EMPTY (target), NO_SPACE, UNSUPPORTED (an owner, attribute or device node cannot be kept there),
 *   CANCELLED, INTERNAL. The target is left in any state and is the caller's to remove; no manifest is left.
 */
export function snapshotTree(request: SnapshotRequest, context: OperationContext): Promise<SnapshotResult> {
  return treeWorkers.run("snapshot", request, {
    signal: context.signal,
    progress: (progress) => context.progress(progress),
  });
}
