import type { Logger } from "./log.ts";

/** Where a long operation stands. Byte counts are of uncompressed data. */
export interface Progress {
  phase: string;
  bytesDone?: number;
  bytesTotal?: number;
}

/**
 * What every long operation takes, through every layer: a signal that cancels it, a callback that is told where it
 * stands, and a log that already carries the operation's fields.
 */
export interface OperationContext {
  readonly signal: AbortSignal;
  readonly log: Logger;
  progress(progress: Progress): void;
}
