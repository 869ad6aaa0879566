import { crc32 } from "node:zlib";

/*
 * A single-file archive is a series of complete gzip members (RFC 1952), one per piece of the tar stream. Any gzip
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
  return head.subarray(12, 14).equals(SUBFIELD) && head.readUInt16LE(14) === 4 ? head.readUInt32LE(16) : undefined;
}

/** A complete member of `data`, whose deflate stream is `deflated`, in memory of its own. */
export function encodeMember(data: Uint8Array, deflated: Uint8Array): Uint8Array<ArrayBuffer> {
  const size = HEADER_SIZE + deflated.length + TRAILER_SIZE;
  const member = Buffer.from(new ArrayBuffer(size));
  member.set([ID1, ID2, DEFLATE, FLAG_EXTRA, 0, 0, 0, 0, FASTEST, OS_UNKNOWN]);
  member.writeUInt16LE(8, 10);
  SUBFIELD.copy(member, 12);
  member.writeUInt16LE(4, 14);
  member.writeUInt32LE(size, 16);
  member.set(deflated, HEADER_SIZE);
  member.writeUInt32LE(crc32(data), size - TRAILER_SIZE);
  member.writeUInt32LE(data.length, size - TRAILER_SIZE + 4);
  return member as Uint8Array<ArrayBuffer>;
}
