import { constants, deflateRawSync } from "node:zlib";
import { release } from "../release.ts";

/** Data is judged in blocks of this many bytes: compressible, random, or zeros. */
const BLOCK = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK);

type Kind = "text" | "random" | "zeros";

interface Run {
  kind: Kind;
  start: number;
  end: number;
}

/**
 * Deflates one piece into a complete deflate stream, in parts. Runs that do not compress are stored, zeros are copied
 * from a finished pattern, so that neither costs time; the rest is zlib level 1, the fastest.
 */
export function deflatePiece(data: Buffer): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (const run of findRuns(data)) {
    const bytes = data.subarray(run.start, run.end);
    if (run.kind === "zeros") parts.push(...zeros(bytes.length));
    else if (run.kind === "random") parts.push(...stored(bytes));
    else parts.push(...deflated(bytes));
  }
  parts.push(FINAL);
  return parts;
}

/** An empty last block with fixed codes. */
const FINAL = Buffer.of(0x03, 0x00);

/** Bytes as stored blocks, each with its length and the length's complement. */
function* stored(bytes: Buffer): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 0xffff) {
    const part = bytes.subarray(at, at + 0xffff);
    const header = Buffer.alloc(5);
    header.writeUInt16LE(part.length, 1);
    header.writeUInt16LE(part.length ^ 0xffff, 3);
    yield header;
    yield part;
  }
}

/** Ends on a byte (sync flush), so that anything may follow. */
function deflate(bytes: Uint8Array, level = 1): Buffer {
  return deflateRawSync(bytes, {
    level,
    finishFlush: constants.Z_SYNC_FLUSH,
    chunkSize: bytes.length + 1024,
  });
}

function deflated(bytes: Buffer): Iterable<Uint8Array> {
  const result = deflate(bytes);
  if (result.length < bytes.length) return [result];
  release(result);
  return stored(bytes);
}

let zeroBlock: Buffer | undefined;

function* zeros(length: number): Generator<Uint8Array> {
  zeroBlock ??= Buffer.from(deflate(ZEROS, 9));
  let rest = length;
  for (; rest >= BLOCK; rest -= BLOCK) yield zeroBlock;
  if (rest > 0) yield deflate(ZEROS.subarray(0, rest), 9);
}

function findRuns(data: Buffer): Run[] {
  const runs: Run[] = [];
  for (let start = 0; start < data.length; start += BLOCK) {
    const end = Math.min(start + BLOCK, data.length);
    const kind = judge(data.subarray(start, end));
    const last = runs.at(-1);
    if (last?.kind === kind) last.end = end;
    else runs.push({ kind, start, end });
  }
  for (const run of runs) {
    if (run.kind === "random" && repeats(data.subarray(run.start, run.end))) run.kind = "text";
  }
  return runs;
}

const SLICES = 4;
const SLICE = 256;
const counts = new Uint16Array(256);

/**
 * Judges a block by how often each byte value occurs in a sample of it: random, encrypted or compressed data has all
 * 256 equally often. The sum of squared counts of n random bytes is about n + n²/256; text has several times that.
 */
function judge(block: Buffer): Kind {
  if (block[0] === 0 && block.equals(block.length === BLOCK ? ZEROS : ZEROS.subarray(0, block.length))) return "zeros";
  if (block.length < BLOCK) return "text";
  counts.fill(0);
  for (let slice = 0; slice < SLICES; slice++) {
    const start = Math.floor(((block.length - SLICE) * slice) / (SLICES - 1));
    for (let i = start; i < start + SLICE; i++) counts[block[i]!]!++;
  }
  let squares = 0;
  for (const count of counts) squares += count * count;
  const n = SLICES * SLICE;
  return squares < 1.3 * (n + (n * n) / 256) ? "random" : "text";
}

const TRIAL = 32 * 1024;

/** True if bytes that look random repeat themselves at short range after all. */
function repeats(run: Buffer): boolean {
  const middle = Math.floor((run.length - TRIAL) / 2);
  const trial = deflate(run.subarray(middle, middle + TRIAL));
  const size = trial.length;
  release(trial);
  return size < 0.97 * TRIAL;
}
