import { createHash, type Hash } from "node:crypto";

/** Checksums of one request's body. The service compares both with what it received. */
export interface Digests {
  md5: Buffer;
  sha256: string;
}

/** A buffer that is filled piece by piece, hashed on the way so that no long computation blocks the event loop. */
export class Part {
  readonly #buffer: Buffer;
  #used = 0;
  #md5: Hash = createHash("md5");
  #sha256: Hash = createHash("sha256");

  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafeSlow(size);
  }

  get full(): boolean {
    return this.#used === this.#buffer.length;
  }

  get empty(): boolean {
    return this.#used === 0;
  }

  get data(): Buffer {
    return this.#buffer.subarray(0, this.#used);
  }

  /** Takes as much as there is room for. @returns bytes taken */
  add(piece: Uint8Array): number {
    const taken = piece.subarray(0, this.#buffer.length - this.#used);
    this.#buffer.set(taken, this.#used);
    this.#md5.update(taken);
    this.#sha256.update(taken);
    this.#used += taken.length;
    return taken.length;
  }

  /** Ends the part; it takes nothing more until `reset`. */
  digests(): Digests {
    return { md5: this.#md5.digest(), sha256: this.#sha256.digest("hex") };
  }

  reset(): void {
    this.#used = 0;
    this.#md5 = createHash("md5");
    this.#sha256 = createHash("sha256");
  }
}
