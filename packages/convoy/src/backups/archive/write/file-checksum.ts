import { createHash } from "node:crypto";
import { zeroDigest } from "../../../host/tree/checksum.ts";
import { CHECKSUM_PIECE, type TreeEntry } from "../../../host/tree/entry.ts";

/** Digests of many pieces of zeros, one after the other: a hole of a terabyte is hashed in a moment. */
const HOLES = 4096;
let holeDigests: Buffer | undefined;

function digestsOfHoles(count: number): Buffer {
  holeDigests ??= Buffer.concat(Array<Buffer>(HOLES).fill(zeroDigest(CHECKSUM_PIECE)));
  return holeDigests.subarray(0, 32 * count);
}

/** Puts `TreeEntry.checksum` of one file together from the digests of its pieces; pieces left out are holes. */
export class FileChecksum {
  readonly entry: TreeEntry;
  readonly #sha = createHash("sha256");
  /** Pieces taken so far. */
  #pieces = 0;

  constructor(entry: TreeEntry) {
    this.entry = entry;
  }

  /** @param start First byte of the piece in the file; pieces come in ascending order. */
  add(start: number, digest: Uint8Array): void {
    this.#holesUpTo(start / CHECKSUM_PIECE);
    this.#sha.update(digest);
    this.#pieces++;
  }

  /** @returns 64 hex digits. */
  finish(): string {
    const { size } = this.entry;
    this.#holesUpTo(Math.floor(size / CHECKSUM_PIECE));
    if (this.#pieces * CHECKSUM_PIECE < size) this.#sha.update(zeroDigest(size % CHECKSUM_PIECE));
    return this.#sha.digest("hex");
  }

  #holesUpTo(piece: number): void {
    while (this.#pieces < piece) {
      const count = Math.min(piece - this.#pieces, HOLES);
      this.#sha.update(digestsOfHoles(count));
      this.#pieces += count;
    }
  }
}
