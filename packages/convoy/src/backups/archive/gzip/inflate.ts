import { crc32, inflateRawSync } from "node:zlib";
import { damaged } from "../errors.ts";
import { HEADER_SIZE, MAX_PIECE_SIZE, memberSize, TRAILER_SIZE } from "./member.ts";

/**
 * Inflates one complete member of ours and checks its length and CRC-32.
 * @param where Names the member in errors.
 */
export function inflateMember(member: Buffer, where: string): Buffer {
  if (memberSize(member) !== member.length) throw damaged(`${where} has a wrong length`);
  const trailer = member.length - TRAILER_SIZE;
  const length = member.readUInt32LE(trailer + 4);
  if (length > MAX_PIECE_SIZE) throw damaged(`${where} claims ${length} bytes, allowed are ${MAX_PIECE_SIZE}`);
  const { data, used } = inflate(member.subarray(HEADER_SIZE, trailer), length, where);
  if (used !== trailer - HEADER_SIZE || data.length !== length || crc32(data) !== member.readUInt32LE(trailer)) {
    throw damaged(`the checksum of ${where} is wrong`);
  }
  return data;
}

function inflate(deflated: Buffer, length: number, where: string): { data: Buffer; used: number } {
  try {
    // With `info` the result is an object, which the types of Node.js do not tell.
    const { buffer, engine } = inflateRawSync(deflated, {
      info: true,
      maxOutputLength: length + 1,
      // A little more than needed: a chunk filled to its last byte makes zlib ask for another.
      chunkSize: length + 64,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    return { data: buffer, used: engine.bytesWritten };
  } catch (error) {
    throw damaged(`${where} cannot be decompressed`, error);
  }
}
