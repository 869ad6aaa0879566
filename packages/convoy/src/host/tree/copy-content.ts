import { readSync, writeSync } from "node:fs";
import * as sys from "../sys.ts";
import { FileChecksum, pieceDigest, zeroDigest } from "./checksum.ts";
import { CHECKSUM_PIECE } from "./entry.ts";

/**
 * So much at a time, and the end of every file that is not small, is handed to the disk while the copy goes on: the disk
 * works while the next data is read and hashed, and the sync at the end has little left to wait for.
 */
const WRITEBACK_BYTES = 8 << 20;
const WRITEBACK_LEAST_BYTES = 128 << 10;
/** Files that could not share blocks before the rest is not tried any more. */
const REFLINK_TRIES = 8;

export interface CopiedContent {
  sparse: boolean;
  /** Undefined for content that shares the source's blocks and was not read. */
  checksum: string | undefined;
}

/** Copies the contents of files of one tree into new files on one other file system (or the same). */
export class ContentCopier {
  readonly #buffer = Buffer.allocUnsafeSlow(CHECKSUM_PIECE);
  /** Called after every piece; may throw to stop. */
  readonly #onPiece: (bytes: number) => void;
  #reflink: boolean;
  #refused = 0;
  reflinked = false;

  constructor(options: { reflink: boolean; onPiece: (bytes: number) => void }) {
    this.#reflink = options.reflink;
    this.#onPiece = options.onPiece;
  }

  /** True while the next file may share its source's blocks instead of being read. */
  get triesReflink(): boolean {
    return this.#reflink;
  }

  /** `stat` is of `from`, taken before; `to` is empty and opened for writing. */
  copy(from: number, to: number, stat: sys.Stat): CopiedContent {
    const mayHaveHoles = stat.blocks * 512 < stat.size;
    if (stat.size > 0 && this.#reflink) {
      if (sys.reflink(from, to)) {
        this.reflinked = true;
        this.#onPiece(stat.size);
        return { sparse: mayHaveHoles, checksum: undefined };
      }
      this.#refused++;
      if (!this.reflinked && this.#refused >= REFLINK_TRIES) this.#reflink = false;
    }
    return mayHaveHoles ? this.#copySparse(from, to, stat.size) : this.#copyDense(from, to, stat.size);
  }

  #copyDense(from: number, to: number, size: number): CopiedContent {
    const checksum = new FileChecksum();
    let done = 0;
    let started = 0;
    while (done < size) {
      const length = this.#read(from, 0, Math.min(CHECKSUM_PIECE, size - done), done);
      if (length === 0) break;
      const piece = this.#buffer.subarray(0, length);
      write(to, piece, done);
      checksum.add(pieceDigest(piece));
      done += length;
      if (done - started >= WRITEBACK_BYTES) {
        sys.startWriteback(to, started, done - started);
        started = done;
      }
      this.#onPiece(length);
      if (length < CHECKSUM_PIECE) break;
    }
    if (done - started >= WRITEBACK_LEAST_BYTES) sys.startWriteback(to, started, done - started);
    return { sparse: false, checksum: checksum.finish() };
  }

  #copySparse(from: number, to: number, size: number): CopiedContent {
    const checksum = new FileChecksum();
    let sparse = false;
    let range = sys.nextData(from, 0, size);
    for (let offset = 0; offset < size; offset += CHECKSUM_PIECE) {
      const end = Math.min(offset + CHECKSUM_PIECE, size);
      const length = end - offset;
      if (range === undefined || range.start >= end) {
        sparse = true;
        checksum.add(zeroDigest(length));
        this.#onPiece(length);
        continue;
      }
      if (range.start > offset || range.end < end) {
        sparse = true;
        this.#buffer.fill(0, 0, length);
      }
      while (range !== undefined && range.start < end) {
        const start = Math.max(range.start, offset);
        const stop = Math.min(range.end, end);
        const got = this.#read(from, start - offset, stop - start, start);
        // Shorter only if the file was cut meanwhile; the rest of the range reads as zeros then.
        this.#buffer.fill(0, start - offset + got, stop - offset);
        write(to, this.#buffer.subarray(start - offset, start - offset + got), start);
        if (range.end >= end) break;
        range = sys.nextData(from, range.end, size);
      }
      checksum.add(pieceDigest(this.#buffer.subarray(0, length)));
      this.#onPiece(length);
    }
    sys.ftruncate(to, size);
    return { sparse, checksum: checksum.finish() };
  }

  /** Fills the buffer from `at` on; less than `length` only at the end of the file. */
  #read(fd: number, at: number, length: number, position: number): number {
    let done = 0;
    while (done < length) {
      const count = readSync(fd, this.#buffer, at + done, length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }
}

function write(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}
