import type { Dir } from "../../host/dir.ts";
import { WorkerPool, workerUrl } from "../../host/workers/index.ts";

/** What tells one state of a file from another. */
export interface FileMark {
  ino: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  size: bigint;
}

export function sameMark(a: FileMark, b: FileMark): boolean {
  return a.ino === b.ino && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs && a.size === b.size;
}

/** One file that is not as it was known: its text, or why it cannot be read. */
export interface ScannedFile {
  file: string;
  mark: FileMark;
  text?: string;
  /** Not a regular file, or larger than allowed. */
  problem?: string;
}

export interface ScanRequest {
  /** Open directory; stays open while the task runs. */
  fd: number;
  files: string[];
  /** Marks of files that need not be read while they are the same, in the order of `files`. */
  known: (FileMark | undefined)[];
  maxBytes: number;
}

export type ScanTasks = {
  scan: { input: ScanRequest; output: ScannedFile[]; progress: never };
};

/** Thousands of small files are read in a thread by plain system calls: a quarter of the time of asynchronous calls. */
const scanWorkers = new WorkerPool<ScanTasks>({
  name: "record-scan",
  url: workerUrl("record-scan", import.meta.url),
  maxThreads: 1,
});

/** Reads those of `files` whose mark is not the known one. Files that vanish meanwhile are left out. */
export function scanFiles(
  dir: Dir,
  files: string[],
  known: (FileMark | undefined)[],
  maxBytes: number,
): Promise<ScannedFile[]> {
  const signal = AbortSignal.timeout(60_000);
  return scanWorkers.run("scan", { fd: dir.fd, files, known, maxBytes }, { signal });
}
