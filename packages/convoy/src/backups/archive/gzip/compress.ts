import { constants, deflateRawSync } from "node:zlib";
import { release } from "../release.ts";
import type { WholeDeflate } from "./libdeflate.ts";
import { beginMember, endMember } from "./member.ts";
import { Output } from "./output.ts";

/** Data is judged in blocks of this many bytes: compressible, random, or zeros. */
const BLOCK = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK);

type Kind = "text" | "random" | "zeros";

interface Run {
  kind: Kind;
  start: number;
  end: number;
}

/** Compresses pieces: with zlib always, with libdeflate where there is one. */
export class PieceCompressor {
  readonly #whole: WholeDeflate | undefined;
  readonly #output = new Output(2.25 * 1024 * 1024);
  #zeroBlock: Buffer | undefined;

  constructor(whole: WholeDeflate | undefined) {
    this.#whole = whole;
  }

  /**
   * Compresses one piece into gzip members of ours, mostly one. Runs that do not compress are stored, zeros are copied
   * from a finished pattern, so that neither costs time; the rest is compressed at level 1.
   */
  compress(data: Buffer): Uint8Array<ArrayBuffer> {
    this.#output.reset();
    let start = 0;
    let member = beginMember(this.#output);
    for (const run of findRuns(data)) {
      const bytes = data.subarray(run.start, run.end);
      if (run.kind === "zeros") this.#zeros(bytes.length);
      else if (run.kind === "random") this.#stored(bytes);
      else if (this.#endWith(bytes)) {
        endMember(this.#output, member, data.subarray(start, run.end));
        start = run.end;
        member = beginMember(this.#output);
      } else this.#deflated(bytes);
    }
    if (start < data.length || data.length === 0) {
      this.#output.append(FINAL);
      endMember(this.#output, member, data.subarray(start));
    } else this.#output.truncate(member);
    return new Uint8Array(this.#output.bytes());
  }

  /** A run as the end of a member: libdeflate can make nothing else. @returns false if it made nothing. */
  #endWith(bytes: Buffer): boolean {
    const size = this.#whole?.(bytes, this.#output.room(bytes.length)) ?? 0;
    this.#output.advance(size);
    return size > 0;
  }

  #deflated(bytes: Buffer): void {
    const result = deflateToByte(bytes, 1);
    if (result.length < bytes.length) this.#output.append(result);
    else this.#stored(bytes);
    release(result);
  }

  /** Bytes as stored blocks, each with its length and the length's complement. */
  #stored(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += 0xffff) {
      const part = bytes.subarray(at, at + 0xffff);
      const header = this.#output.room(5);
      header[0] = 0;
      header.writeUInt16LE(part.length, 1);
      header.writeUInt16LE(part.length ^ 0xffff, 3);
      this.#output.advance(5);
      this.#output.append(part);
    }
  }

  #zeros(length: number): void {
    this.#zeroBlock ??= Buffer.from(deflateToByte(ZEROS, 9));
    let rest = length;
    for (; rest >= BLOCK; rest -= BLOCK) this.#output.append(this.#zeroBlock);
    if (rest > 0) this.#output.append(deflateToByte(ZEROS.subarray(0, rest), 9));
  }
}

/** An empty last block with fixed codes. */
const FINAL = Buffer.of(0x03, 0x00);

/** Blocks that are none of them the last, and end on a byte (sync flush), so that anything may follow. */
function deflateToByte(bytes: Uint8Array, level: number): Buffer {
  return deflateRawSync(bytes, { level, finishFlush: constants.Z_SYNC_FLUSH, chunkSize: bytes.length + 1024 });
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
  const trial = deflateToByte(run.subarray(middle, middle + TRIAL), 1);
  const size = trial.length;
  release(trial);
  return size < 0.97 * TRIAL;
}
