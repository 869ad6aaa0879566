import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import koffi from "koffi";

/** Parameters of mallopt(3). */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
const M_ARENA_MAX = -8;

/** Buffers of this size and above get pages of their own, which the kernel has back as soon as they are freed. */
const OWN_PAGES_BYTES = 128 << 10;
/** Work that took this long has used much memory. */
const LONG_MS = 1_000;
/** A rest begins when nothing has run for so long; idle worker threads have ended by then. */
const REST_MS = 8_000;

const libc = koffi.load("libc.so.6");
const mallopt = libc.func("int mallopt(int, int)");
const mallocTrim = libc.func("int malloc_trim(size_t)");

/**
 * Keeps glibc from holding on to freed memory. By default every thread of the wide pool has an arena of its own, and
 * large buffers, once freed, are kept for later: the daemon grows with every backup (measured, MiB beside the program
 * itself: 30 after the start, 147 after two backups and restores; so 33). To be called before there are threads.
 */
export function limitMalloc(): void {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, OWN_PAGES_BYTES);
  mallopt(M_TRIM_THRESHOLD, OWN_PAGES_BYTES);
}

let rest: NodeJS.Timeout | undefined;
let collect: (() => void) | undefined;

/**
 * To be called when work has ended and none goes on: gives memory back to the kernel, at once after long work and, in
 * any case, when the daemon has rested for a while. Stops the calling thread for some 10 ms.
 */
export function workEnded(durationMs: number): void {
  clearTimeout(rest);
  rest = setTimeout(giveBack, REST_MS).unref();
  if (durationMs >= LONG_MS) giveBack();
}

function giveBack(): void {
  if (collect === undefined) {
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
  }
  collect();
  mallocTrim(0);
}
