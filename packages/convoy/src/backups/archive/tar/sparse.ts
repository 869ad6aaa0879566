import { damaged } from "../errors.ts";
import { BLOCK, padding } from "./header.ts";

/** A run of data in a file that has holes; bytes, `end` exclusive. */
export interface Range {
  start: number;
  end: number;
}

/**
 * Ranges as GNU tar's sparse format 1.0 needs them: every range but one at the end of the file starts and ends on a
 * block, since GNU tar stores ranges in whole blocks while others read them without gaps.
 */
export function alignRanges(ranges: Iterable<Range>, size: number): Range[] {
  const aligned: Range[] = [];
  for (const { start, end } of ranges) {
    const from = start - (start % BLOCK);
    const to = Math.min(end + padding(end), size);
    if (from >= to) continue;
    const last = aligned.at(-1);
    if (last && from <= last.end) last.end = Math.max(last.end, to);
    else aligned.push({ start: from, end: to });
  }
  return aligned;
}

/**
 * The map that stands before the data of a sparse member: number of ranges, then offset and length of each, one
 * decimal number per line, filled up to whole blocks. A file that ends with a hole has an empty range at its end.
 */
export function encodeSparseMap(ranges: readonly Range[], size: number): Buffer {
  const all = (ranges.at(-1)?.end ?? 0) === size && size > 0 ? ranges : [...ranges, { start: size, end: size }];
  const lines = [all.length, ...all.flatMap(({ start, end }) => [start, end - start])];
  const text = Buffer.from(`${lines.join("\n")}\n`);
  return Buffer.concat([text, Buffer.alloc(padding(text.length))]);
}

/** More ranges than a file of any sense has; keeps a forged map from filling the memory. */
const MAX_RANGES = 1_000_000;

/** Reads a sparse map that arrives in blocks. */
export class SparseMapDecoder {
  readonly ranges: Range[] = [];
  readonly #size: number;
  #rest = "";
  #count: number | undefined;
  #start: number | undefined;

  /** @param size Bytes of the whole file, holes included. */
  constructor(size: number) {
    this.#size = size;
  }

  /**
   * Takes the next block.
   * @returns true once the map is complete: data follows with the next block.
   */
  push(block: Buffer): boolean {
    const lines = (this.#rest + block.toString("latin1")).split("\n");
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (this.#done()) break;
      this.#number(line);
    }
    if (!this.#done() && this.#rest.length > 20) throw damaged("the map of a sparse file is malformed");
    return this.#done();
  }

  #done(): boolean {
    return this.#count !== undefined && this.ranges.length === this.#count;
  }

  #number(line: string): void {
    const value = /^\d{1,16}$/.test(line) ? Number(line) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw damaged("the map of a sparse file is malformed");
    if (this.#count === undefined) {
      if (value > MAX_RANGES) throw damaged(`the map of a sparse file has ${value} ranges, allowed are ${MAX_RANGES}`);
      this.#count = value;
    } else if (this.#start === undefined) {
      this.#start = value;
    } else {
      const range = { start: this.#start, end: this.#start + value };
      const previous = this.ranges.at(-1)?.end ?? 0;
      if (range.start < previous || range.end > this.#size) throw damaged("the map of a sparse file is malformed");
      this.ranges.push(range);
      this.#start = undefined;
    }
  }
}
