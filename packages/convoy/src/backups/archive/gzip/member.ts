import { crc32 } from "node:zlib";
import type { Output } from "./output.ts";

/*
 * A single-file archive is a series of complete gzip members (RFC 1952), one or a few per piece of the tar stream. Any gzip
 * reader reads them as one stream. The header of each carries a subfield `CV` in the extra field: the length of the
 * whole member in bytes, 32 bits little-endian, so that a reader finds the next member without inflating this one and
 * all cores can inflate at the same time.
 */

const ID1 = 0x1f;
const ID2 = 0x8b;
const DEFLATE = 8;
const FLAG_EXTRA = 4;
const FASTEST = 4;
const OS_UNKNOWN = 255;
const SUBFIELD = Buffer.from("CV");
/** Where the member's length stands in its header. */
const SIZE_AT = 16;

/** Bytes of the header of our members. */
export const HEADER_SIZE = 20;
/** Bytes after the deflate data: CRC-32 and length of the uncompressed data, 32 bits each. */
export const TRAILER_SIZE = 8;
/** Limits of a member that a reader accepts, so that a forged length cannot fill the memory. */
export const MAX_MEMBER_SIZE = 16 * 1024 * 1024;
export const MAX_PIECE_SIZE = 8 * 1024 * 1024;

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === ID1 && bytes[1] === ID2 && bytes[2] === DEFLATE;
}

/**
 * Length of the whole member that starts with `head`.
 * @param head At least HEADER_SIZE bytes.
 * @returns undefined if the member is not one of ours.
 */
export function memberSize(head: Buffer): number | undefined {
  if (head.length < HEADER_SIZE || !isGzip(head) || head[3] !== FLAG_EXTRA || head.readUInt16LE(10) !== 8) {
    return undefined;
  }
  return head.subarray(12, 14).equals(SUBFIELD) && head.readUInt16LE(14) === 4 ? head.readUInt32LE(SIZE_AT) : undefined;
}

/** Begins a member. @returns where it begins, for `endMember`; the deflate stream is to be appended. */
export function beginMember(output: Output): number {
  const start = output.bytes().length;
  output.append(HEADER);
  return start;
}

/** Ends the member begun at `start`, which holds `data`. */
export function endMember(output: Output, start: number, data: Uint8Array): void {
  const trailer = output.room(TRAILER_SIZE);
  trailer.writeUInt32LE(crc32(data), 0);
  trailer.writeUInt32LE(data.length, 4);
  output.advance(TRAILER_SIZE);
  const member = output.bytes().subarray(start);
  member.writeUInt32LE(member.length, SIZE_AT);
}

const HEADER = Buffer.alloc(HEADER_SIZE);
HEADER.set([ID1, ID2, DEFLATE, FLAG_EXTRA, 0, 0, 0, 0, FASTEST, OS_UNKNOWN]);
HEADER.writeUInt16LE(8, 10);
SUBFIELD.copy(HEADER, 12);
HEADER.writeUInt16LE(4, 14);
