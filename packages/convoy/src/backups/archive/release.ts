/** Smaller buffers are not worth it. */
const LARGE = 32 * 1024;

/**
 * Gives the memory of large buffers back at once; they are empty afterwards. Garbage collection frees it too, but sees
 * only the small objects, so that each thread would gather some 64 MiB of dead buffers first. Buffers that lie in
 * Node's common pool are left alone.
 */
export function release(...buffers: readonly Uint8Array[]): void {
  for (const { buffer } of buffers) {
    const large = buffer.byteLength >= LARGE && buffer.byteLength !== Buffer.poolSize;
    if (buffer instanceof ArrayBuffer && large && !buffer.detached) buffer.transfer(0);
  }
}
