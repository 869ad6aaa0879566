/**
 * Width of libuv's thread pool, on which all file calls run. Its default of 4 would let a few calls to a share that
 * hangs stop everything else (R12).
 */
const THREADS = "32";

/**
 * Widens the pool, unless the administrator chose a width. Has an effect only before the first use of the pool, which
 * is when libuv reads the variable.
 */
export function widenThreadPool(): void {
  process.env["UV_THREADPOOL_SIZE"] ??= THREADS;
}
