import { finished } from "node:stream/promises";
import { createGunzip, type Gunzip } from "node:zlib";

class Damaged extends Error {}

/** Unpacks a gzip stream only to see that it is whole: every checksum right and nothing missing at the end. */
export class GzipProbe {
  /** What `write` and `end` throw for data that is not a whole gzip stream. */
  static readonly Damaged = Damaged;

  readonly #gunzip: Gunzip = createGunzip({ chunkSize: 256 * 1024 });
  readonly #done: Promise<void>;
  #failure: Damaged | undefined;

  constructor() {
    this.#gunzip.resume();
    this.#done = finished(this.#gunzip).catch((cause: unknown) => {
      const what = (cause as Error).message;
      this.#failure = new Damaged(`it is not a whole gzip file (${what})`, { cause });
    });
  }

  /** Resolves when the next piece may come. */
  async write(piece: Uint8Array): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#gunzip.write(piece)) return;
    const drained = new Promise<void>((resolve) => this.#gunzip.once("drain", resolve));
    await Promise.race([drained, this.#done]);
    if (this.#failure) throw this.#failure;
  }

  async end(): Promise<void> {
    this.#gunzip.end();
    await this.#done;
    if (this.#failure) throw this.#failure;
  }

  destroy(): void {
    this.#gunzip.destroy();
  }
}
