import { createHash, hash } from "node:crypto";
import * as sys from "../../../host/sys.ts";
import { CHECKSUM_PIECE } from "../../../host/tree/entry.ts";
import { PieceCompressor } from "../gzip/compress.ts";
import { loadLibdeflate } from "../gzip/libdeflate.ts";
import { release } from "../release.ts";
import { type FileSlice, type PieceInput, type PieceOutput, storedBytes } from "./piece.ts";
import { openSnapshotFile, readFully } from "./snapshot-file.ts";

/** The thread's own buffer for a piece before compression, used again and again; larger pieces are hardly ever made. */
let buffer = Buffer.allocUnsafeSlow(2.25 * 1024 * 1024);

const compressor = new PieceCompressor(loadLibdeflate());

const zeros = Buffer.alloc(CHECKSUM_PIECE);

/** Reads, hashes and compresses one piece of the tar stream. Synchronous: runs in a worker thread. */
export function makePiece({ root, inline, items, size }: PieceInput): PieceOutput {
  if (buffer.length < size) {
    release(buffer);
    buffer = Buffer.allocUnsafeSlow(size);
  }
  const slices = items.filter((item): item is FileSlice => typeof item !== "number");
  const digests = new Uint8Array(32 * slices.length);
  let at = 0;
  let inlineAt = 0;
  let digestAt = 0;
  for (const item of items) {
    if (typeof item === "number") {
      buffer.set(inline.subarray(inlineAt, inlineAt + item), at);
      inlineAt += item;
      at += item;
      continue;
    }
    const data = buffer.subarray(at, at + storedBytes(item));
    digests.set(readSlice(root, item, data), digestAt);
    at += data.length;
    digestAt += 32;
  }
  const data = buffer.subarray(0, at);
  return { compressed: compressor.compress(data), digests };
}

/** Reads the data of one slice into `target`. @returns SHA-256 of the slice, holes read as zeros. */
function readSlice(root: number, slice: FileSlice, target: Buffer): Uint8Array {
  const fd = openSnapshotFile(root, slice);
  try {
    if (!slice.ranges) {
      readFully(fd, target, slice.start, slice.path);
      return hash("sha256", target, "buffer");
    }
    const sha = createHash("sha256");
    let position = slice.start;
    let at = 0;
    for (let i = 0; i < slice.ranges.length; i += 2) {
      const start = slice.ranges[i]!;
      const part = target.subarray(at, at + slice.ranges[i + 1]! - start);
      readFully(fd, part, start, slice.path);
      sha.update(zeros.subarray(0, start - position)).update(part);
      position = start + part.length;
      at += part.length;
    }
    return sha.update(zeros.subarray(0, slice.end - position)).digest();
  } finally {
    sys.close(fd);
  }
}
