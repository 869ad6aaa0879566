import { createHash, type Hash, hash } from "node:crypto";
import { CHECKSUM_PIECE } from "./entry.ts";

/** SHA-256 of one piece of a file (CHECKSUM_PIECE bytes, the last one less). */
export function pieceDigest(piece: Uint8Array): Buffer {
  return hash("sha256", piece, "buffer");
}

let zeroPiece: Buffer | undefined;

/** `pieceDigest` of `length` zeros; a full piece costs nothing but the first time. */
export function zeroDigest(length: number): Buffer {
  if (length !== CHECKSUM_PIECE) return pieceDigest(Buffer.alloc(length));
  zeroPiece ??= pieceDigest(Buffer.alloc(CHECKSUM_PIECE));
  return zeroPiece;
}

/** Puts the digests of a file's pieces, given in order, together into `TreeEntry.checksum`. */
export class FileChecksum {
  readonly #outer: Hash = createHash("sha256");

  add(digest: Uint8Array): void {
    this.#outer.update(digest);
  }

  /** 64 hex digits. */
  finish(): string {
    return this.#outer.digest("hex");
  }
}
