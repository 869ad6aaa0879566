import * as sys from "../../../host/sys.ts";
import { alignRanges, type Range } from "../tar/sparse.ts";
import type { FileSlice } from "./piece.ts";
import { openSnapshotFile } from "./snapshot-file.ts";

/** A file in more ranges than this is stored with its smallest holes filled, to bound the map. */
const MAX_RANGES = 65_536;

function* dataOf(fd: number, size: number): Generator<Range> {
  for (let at = 0; at < size; ) {
    const range = sys.nextData(fd, at, size);
    if (range === undefined) return;
    yield range;
    at = range.end;
  }
}

/** Where the data of a file with holes is, as start, end, start, end, …, aligned as the archive needs it. */
export function sparseRanges(root: number, file: Pick<FileSlice, "path" | "size" | "mtimeNs">): Float64Array {
  const fd = openSnapshotFile(root, file);
  try {
    let ranges = alignRanges(dataOf(fd, file.size), file.size);
    for (let hole = 64 * 1024; ranges.length > MAX_RANGES; hole *= 4) ranges = fillHoles(ranges, hole);
    return Float64Array.from(ranges.flatMap(({ start, end }) => [start, end]));
  } finally {
    sys.close(fd);
  }
}

function fillHoles(ranges: Range[], smallest: number): Range[] {
  const merged: Range[] = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last && range.start - last.end < smallest) last.end = range.end;
    else merged.push(range);
  }
  return merged;
}
