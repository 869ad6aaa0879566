import { damaged } from "../errors.ts";
import { octal, octalLimit, parseNumber } from "./numbers.ts";

/** Tar is made of blocks of this many bytes. */
export const BLOCK = 512;

/** Bytes that fill the last block of `size` bytes. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** One header block, field by field. Names are raw bytes, without the NUL. */
export interface RawHeader {
  name: Buffer;
  mode: bigint;
  uid: bigint;
  gid: bigint;
  /** Bytes of data that follow. */
  size: bigint;
  /** Seconds since 1970. */
  mtime: bigint;
  /** `0` file, `1` hard link, `2` link, `3` character, `4` block, `5` directory, `6` FIFO, `x`/`g` PAX, `L`/`K` GNU. */
  type: string;
  link: Buffer;
  major: bigint;
  minor: bigint;
}

function field(value: bigint, width: number): string {
  const limit = BigInt(octalLimit(width));
  return octal(Number(value < 0n ? 0n : value > limit ? limit : value), width);
}

/**
 * A ustar header block. Values that a field cannot hold are clamped and names cut: the caller gives those in full in a
 * PAX header before it. User and group names stay empty, so that every reader uses the numbers.
 */
export function encodeHeader(header: RawHeader): Buffer {
  const block = Buffer.alloc(BLOCK);
  header.name.copy(block, 0, 0, 100);
  block.write(field(header.mode, 8), 100, "latin1");
  block.write(field(header.uid, 8), 108, "latin1");
  block.write(field(header.gid, 8), 116, "latin1");
  block.write(field(header.size, 12), 124, "latin1");
  block.write(field(header.mtime, 12), 136, "latin1");
  block.write(header.type, 156, "latin1");
  header.link.copy(block, 157, 0, 100);
  block.write("ustar\x0000", 257, "latin1");
  block.write(field(header.major, 8), 329, "latin1");
  block.write(field(header.minor, 8), 337, "latin1");
  block.write(`${octal(checksum(block), 7)} `, 148, "latin1");
  return block;
}

/** Sum of all bytes, those of the checksum's own field taken as spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let i = 0; i < 148; i++) sum += block[i]!;
  for (let i = 156; i < BLOCK; i++) sum += block[i]!;
  return sum;
}

/** Bytes of a text field up to its first NUL. */
export function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/**
 * Reads a header block of any tar dialect.
 * @returns undefined for a block of zeros (end of the archive).
 */
export function decodeHeader(block: Buffer): RawHeader | undefined {
  if (block[0] === 0 && block.every((byte) => byte === 0)) return undefined;
  if (parseNumber(block.subarray(148, 156), "header checksum") !== BigInt(checksum(block))) {
    throw damaged("the checksum of a member's header is wrong");
  }
  const name = untilNul(block.subarray(0, 100));
  // GNU's own header ("ustar  ") has other fields where POSIX has the prefix.
  const prefix =
    block.toString("latin1", 257, 263) === "ustar\0" ? untilNul(block.subarray(345, 500)) : Buffer.alloc(0);
  return {
    name: Buffer.from(prefix.length > 0 ? Buffer.concat([prefix, Buffer.from("/"), name]) : name),
    mode: parseNumber(block.subarray(100, 108), "mode"),
    uid: parseNumber(block.subarray(108, 116), "owner"),
    gid: parseNumber(block.subarray(116, 124), "group"),
    size: parseNumber(block.subarray(124, 136), "size"),
    mtime: parseNumber(block.subarray(136, 148), "time"),
    type: String.fromCharCode(block[156]!),
    link: Buffer.from(untilNul(block.subarray(157, 257))),
    major: parseNumber(block.subarray(329, 337), "device number"),
    minor: parseNumber(block.subarray(337, 345), "device number"),
  };
}
