import { availableParallelism } from "node:os";
import { WorkerPool, workerUrl } from "../../host/workers/index.ts";
import type { ExtractTasks } from "./archive-extract.worker.ts";
import type { PieceTasks } from "./archive-pieces.worker.ts";

/** Threads that work on pieces: all cores, but on big machines no more than keep the daemon's memory small. */
const PIECE_THREADS = Math.min(Math.max(availableParallelism(), 2), 8);

/** Pieces in the making at one time for one archive: enough to keep all threads busy while one is waited for. */
export const PIECES_IN_FLIGHT = PIECE_THREADS + 2;

/** One pool for all archives of the process; threads exist only while there is work. */
export const piecePool = new WorkerPool<PieceTasks>({
  name: "archive-pieces",
  url: workerUrl("archive-pieces", import.meta.url),
  maxThreads: PIECE_THREADS,
});

/** One thread per running restore. */
export const extractPool = new WorkerPool<ExtractTasks>({
  name: "archive-extract",
  url: workerUrl("archive-extract", import.meta.url),
  maxThreads: 8,
});
