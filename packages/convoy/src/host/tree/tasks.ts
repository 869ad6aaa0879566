import type { Progress } from "../operation.ts";
import { WorkerPool, workerUrl } from "../workers/index.ts";
import type { AssistantChannel } from "./assistant.ts";

export interface SnapshotRequest {
  /** Directory to copy: an absolute path, or `/proc/self/fd/N` of a handle that stays open. */
  source: string;
  /** Existing empty directory; it gets the source's owner, mode, times and attributes, too. */
  target: string;
  /** File to be written; its directory exists and is not in the target. */
  manifest: string;
  /** `auto` shares blocks where the file system can; `never` copies always. */
  reflink?: "auto" | "never";
}

export interface SnapshotResult {
  /** Everything in the tree, its root included. */
  entries: number;
  files: number;
  directories: number;
  /** Sizes of all files, each inode once. */
  bytes: number;
  /** True if at least one file shares its blocks with the source; those files have no checksum yet. */
  reflinked: boolean;
  /** False if something changed while it was copied: the tree then is of no single point in time (R15). */
  onePointInTime: boolean;
  /** Files and directories that kept changing while they were copied and are kept as read; the first 1,000. */
  unstable: string[];
  unstableCount: number;
  /** What was left out, with the reason, for example `run/app.sock (socket)`; the first 1,000. */
  skipped: string[];
  skippedCount: number;
  /** Further names of a file that the target could not link and that became copies. */
  copiedLinks: number;
}

/** `parentFd` stays open while the task runs. Without a name the content of the directory itself is removed. */
export interface RemoveRequest {
  parentFd: number;
  /** For messages. */
  parentPath: string;
  name?: string;
}

/** Without a channel the walk does everything itself. */
export interface SnapshotInput extends SnapshotRequest {
  channel?: AssistantChannel;
}

export type TreeTasks = {
  /** `assist` asks for an `assist` task at the other end of the channel. */
  snapshot: { input: SnapshotInput; output: SnapshotResult; progress: Progress | "assist" };
  assist: { input: AssistantChannel; output: undefined; progress: never };
  remove: { input: RemoveRequest; output: undefined; progress: Progress };
};

/**
 * One thread per running operation, two for large snapshots. They wait for disks most of the time, so there may be more of them than cores; a
 * deletion is not to wait for a long snapshot.
 */
export const treeWorkers = new WorkerPool<TreeTasks>({
  name: "tree",
  url: workerUrl("tree", import.meta.url),
  maxThreads: 8,
});
