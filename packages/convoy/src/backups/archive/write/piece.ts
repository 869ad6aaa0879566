/** File data in one piece: never more than CHECKSUM_PIECE bytes of one file, starting on a multiple of it. */
export interface FileSlice {
  /** Path below the snapshot's root, raw bytes. */
  path: Uint8Array;
  /** Size and time that the manifest has; a file that differs is an error. */
  size: number;
  mtimeNs: bigint;
  /** Bytes of the file that this slice covers, holes included. */
  start: number;
  end: number;
  /** Data within start … end of a file with holes, as start, end, start, end, …; left out: all of it is data. */
  ranges?: Float64Array;
}

/** What to make one piece of the tar stream of. */
export interface PieceInput {
  /** Descriptor of the snapshot's root directory. */
  root: number;
  /** Headers and padding of the whole piece, one after the other. */
  inline: Uint8Array<ArrayBuffer>;
  /** The piece in order: a number stands for that many of the next inline bytes, a slice for its data. */
  items: (number | FileSlice)[];
  /** Bytes of the piece. */
  size: number;
}

export interface PieceOutput {
  /** One or more complete gzip members. */
  compressed: Uint8Array<ArrayBuffer>;
  /** SHA-256 of each file slice, holes read as zeros, 32 bytes each, in order. */
  digests: Uint8Array<ArrayBuffer>;
}

/** Bytes of file data that a slice stores. */
export function storedBytes(slice: FileSlice): number {
  if (!slice.ranges) return slice.end - slice.start;
  let sum = 0;
  for (let i = 0; i < slice.ranges.length; i += 2) sum += slice.ranges[i + 1]! - slice.ranges[i]!;
  return sum;
}
