import { setImmediate as nextTurn } from "node:timers/promises";
import { CHECKSUM_PIECE, type TreeEntry } from "../../../host/tree/entry.ts";
import { encodeEntry } from "../tar/encode-entry.ts";
import { BLOCK, padding } from "../tar/header.ts";
import type { Range } from "../tar/sparse.ts";
import { FileChecksum } from "./file-checksum.ts";
import { type FileSlice, type PieceInput, storedBytes } from "./piece.ts";

/** A piece is closed once it has this many bytes; with the last slice of data it may grow to twice as many. */
const PIECE_SIZE = 1024 * 1024;

/** After this many entries other work of the thread has its turn: requests are answered while a backup runs. */
const TURN_ENTRIES = 128;

/** One piece to be made, and what its digests are good for. */
export interface PlannedPiece {
  input: Omit<PieceInput, "root">;
  /** File of each slice of the piece, in order. */
  files: FileChecksum[];
  /** Files that are complete with this piece. */
  completed: FileChecksum[];
  /** Bytes of file data, holes not counted. */
  dataBytes: number;
  entries: number;
}

/** Collects headers and slices of data into one piece. */
class PieceBuilder {
  readonly #inline: Uint8Array[] = [];
  readonly #items: (number | FileSlice)[] = [];
  readonly files: FileChecksum[] = [];
  readonly completed: FileChecksum[] = [];
  size = 0;
  dataBytes = 0;
  entries = 0;

  addBytes(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#inline.push(bytes);
    const last = this.#items.at(-1);
    if (typeof last === "number") this.#items[this.#items.length - 1] = last + bytes.length;
    else this.#items.push(bytes.length);
    this.size += bytes.length;
  }

  addSlice(slice: FileSlice, file: FileChecksum): void {
    this.#items.push(slice);
    this.files.push(file);
    const stored = storedBytes(slice);
    this.size += stored;
    this.dataBytes += stored;
  }

  build(): PlannedPiece {
    const inline = new Uint8Array(this.#inline.reduce((sum, bytes) => sum + bytes.length, 0));
    let at = 0;
    for (const bytes of this.#inline) {
      inline.set(bytes, at);
      at += bytes.length;
    }
    const { files, completed, dataBytes, entries, size } = this;
    return { input: { inline, items: this.#items, size }, files, completed, dataBytes, entries };
  }
}

/**
 * Cuts the tar stream of a tree into pieces that can be made independently of each other.
 * @param entries In the order of the archive: a directory before its content, the root first.
 * @param rangesOf Tells where the data of a sparse file is (`sparseRanges`).
 */
export async function* planPieces(
  entries: AsyncIterable<TreeEntry>,
  rangesOf: (entry: TreeEntry) => Promise<Float64Array>,
): AsyncGenerator<PlannedPiece, void, undefined> {
  let piece = new PieceBuilder();
  let planned = 0;
  for await (const entry of entries) {
    const isFile = entry.type === "file" && entry.hardLinkTo === undefined;
    const ranges = isFile && entry.sparse ? toRanges(await rangesOf(entry)) : undefined;
    const { head, dataSize } = encodeEntry(entry, ranges);
    for (let at = 0; at < head.length; at += PIECE_SIZE) {
      piece.addBytes(head.subarray(at, at + PIECE_SIZE));
      if (piece.size >= PIECE_SIZE) {
        yield piece.build();
        piece = new PieceBuilder();
      }
    }
    piece.entries++;
    if (++planned % TURN_ENTRIES === 0) await nextTurn();
    if (!isFile) continue;
    const file = new FileChecksum(entry);
    for (const slice of ranges ? sparseSlices(entry, ranges) : wholeSlices(entry)) {
      piece.addSlice(slice, file);
      if (piece.size >= PIECE_SIZE) {
        yield piece.build();
        piece = new PieceBuilder();
      }
    }
    piece.completed.push(file);
    piece.addBytes(Buffer.alloc(padding(dataSize)));
  }
  piece.addBytes(Buffer.alloc(2 * BLOCK));
  yield piece.build();
}

function toRanges(flat: Float64Array): Range[] {
  const ranges: Range[] = [];
  for (let i = 0; i < flat.length; i += 2) ranges.push({ start: flat[i]!, end: flat[i + 1]! });
  return ranges;
}

function* wholeSlices({ path, size, mtimeNs }: TreeEntry): Generator<FileSlice> {
  for (let start = 0; start < size; start += CHECKSUM_PIECE) {
    yield { path, size, mtimeNs, start, end: Math.min(start + CHECKSUM_PIECE, size) };
  }
}

/** Slices of a file with holes: only those that hold any data. */
function* sparseSlices({ path, size, mtimeNs }: TreeEntry, ranges: readonly Range[]): Generator<FileSlice> {
  for (let index = 0, at = ranges[0]?.start ?? 0; index < ranges.length; ) {
    const start = at - (at % CHECKSUM_PIECE);
    const end = Math.min(start + CHECKSUM_PIECE, size);
    const within: number[] = [];
    while (index < ranges.length && ranges[index]!.start < end) {
      const range = ranges[index]!;
      within.push(Math.max(range.start, at), Math.min(range.end, end));
      if (range.end > end) break;
      index++;
    }
    yield { path, size, mtimeNs, start, end, ranges: Float64Array.from(within) };
    at = Math.max(end, ranges[index]?.start ?? end);
  }
}
