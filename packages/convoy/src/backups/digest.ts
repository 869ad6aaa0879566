import { createHash } from "node:crypto";

/** Size and SHA-256 of what was streamed through. */
export interface Digest {
  size: number;
  sha256: string;
}

/** Passes a stream on and measures it; `result` is to be called when the stream has ended. */
export function digested(body: AsyncIterable<Uint8Array>): { body: AsyncIterable<Uint8Array>; result(): Digest } {
  const hash = createHash("sha256");
  let size = 0;
  async function* pass() {
    for await (const piece of body) {
      hash.update(piece);
      size += piece.length;
      yield piece;
    }
  }
  return { body: pass(), result: () => ({ size, sha256: hash.digest("hex") }) };
}
