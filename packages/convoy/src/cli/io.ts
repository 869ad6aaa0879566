import { writeSync } from "node:fs";
import { isatty } from "node:tty";

export const STDOUT = 1;
export const STDERR = 2;

/** True if a person reads that stream. */
export function isTerminal(fd: number): boolean {
  return isatty(fd);
}

const RETRY_MS = 5;

/**
 * Writes everything before it returns. `process.stdout` would cost a tenth of the start-up time of a short command,
 * and loses data when the process exits while a pipe is full.
 * @returns false if nobody reads any more (`convoy list | head -1`).
 */
export function writeAll(fd: number, data: string | Buffer): boolean {
  const bytes = typeof data === "string" ? Buffer.from(data) : data;
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(fd, bytes, done);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EPIPE") return false;
      if (code !== "EAGAIN") throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
  return true;
}
