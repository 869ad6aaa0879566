/**
 * Gives the memory of large buffers back at once; they are empty afterwards. Garbage collection frees it too, but sees
 * only the small objects, so that each thread would gather some 64 MiB of dead buffers first.
 */
export function release(...buffers: readonly Uint8Array[]): void {
  for (const { buffer } of buffers) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= LARGE && !buffer.detached) buffer.transfer(0);
  }
}

/** Smaller ones may lie in a pool that others use, and are not worth it. */
export const LARGE = 128 * 1024;
