import { release } from "../release.ts";

/** Bytes being put together, in memory that is used again for the next ones. */
export class Output {
  #buffer: Buffer;
  #length = 0;

  /** @param size Bytes that are usually enough; more are made room for. */
  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafeSlow(size);
  }

  reset(): void {
    this.#length = 0;
  }

  /** Drops everything from `length` on. */
  truncate(length: number): void {
    this.#length = length;
  }

  append(bytes: Uint8Array): void {
    this.room(bytes.length).set(bytes);
    this.#length += bytes.length;
  }

  /** `size` bytes behind the end, to be written and then counted by `advance`. Valid until the next call. */
  room(size: number): Buffer {
    const needed = this.#length + size;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(2 * needed);
      larger.set(this.bytes());
      release(this.#buffer);
      this.#buffer = larger;
    }
    return this.#buffer.subarray(this.#length, needed);
  }

  advance(size: number): void {
    this.#length += size;
  }

  /** Everything so far; valid until the next call of another method. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}
