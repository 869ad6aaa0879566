import { randomBytes } from "node:crypto";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PieceCompressor } from "./compress.ts";
import { inflateMember } from "./inflate.ts";
import { loadLibdeflate, type WholeDeflate } from "./libdeflate.ts";
import { memberSize } from "./member.ts";

const libdeflate = loadLibdeflate();
if (!libdeflate) console.log("libdeflate is not installed here: only zlib is tested");

/** Each way to compress that this machine has. */
const ways = [["zlib", undefined] as const, ...(libdeflate ? [["libdeflate", libdeflate] as const] : [])];

function compressor(whole: WholeDeflate | undefined) {
  const pieces = new PieceCompressor(whole);
  return (data: Buffer) => Buffer.from(pieces.compress(data));
}

/** What our own reader makes of one or more members. */
function inflateAll(compressed: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < compressed.length; ) {
    const size = memberSize(compressed.subarray(at))!;
    parts.push(inflateMember(compressed.subarray(at, at + size), `the part at ${at}`));
    at += size;
  }
  return Buffer.concat(parts);
}

const TEXT = Buffer.from("some words that come again and again, \n".repeat(30_000));

/** Any mixture of text, random data and zeros. */
const data = fc
  .array(fc.tuple(fc.constantFrom("text", "random", "zeros"), fc.nat(200_000)), { maxLength: 6 })
  .map((runs) =>
    Buffer.concat(
      runs.map(([kind, size]) =>
        kind === "text" ? TEXT.subarray(0, size) : kind === "random" ? randomBytes(size) : Buffer.alloc(size),
      ),
    ),
  );

describe.each(ways)("compressed by %s", (_, whole) => {
  const compress = compressor(whole);

  test("a member of any data is read by any gzip and by ours", () => {
    fc.assert(
      fc.property(data, (original) => {
        const compressed = compress(original);
        expect(gunzipSync(compressed).equals(original)).toBe(true);
        expect(inflateAll(compressed).equals(original)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test("random data grows by less than a thousandth, repeated random data shrinks", () => {
    const random = randomBytes(1 << 20);
    expect(compress(random).length).toBeLessThan(random.length * 1.001);
    const repeated = Buffer.concat(Array<Buffer>(64).fill(randomBytes(16 << 10)));
    expect(compress(repeated).length).toBeLessThan(repeated.length / 10);
  });

  test("a flipped bit never gives other data", () => {
    const original = Buffer.concat([TEXT.subarray(0, 2000), Buffer.from("end")]);
    const member = compress(original);
    let refused = 0;
    for (let bit = 0; bit < 8 * member.length; bit++) {
      const flipped = Buffer.from(member);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      try {
        expect(inflateMember(flipped, "the part").equals(original)).toBe(true);
      } catch (error) {
        expect(error).toMatchObject({ code: "BACKUP_DAMAGED", message: expect.stringContaining("the part") });
        refused++;
      }
    }
    // Time, flags and system in the header, and bits that fill up a byte, mean nothing for the data.
    expect(refused).toBeGreaterThan(8 * member.length - 64);
  });

  test("a member that claims an enormous length is refused before any memory is taken", () => {
    const member = compress(Buffer.from("small"));
    member.writeUInt32LE(0xfffffff0, member.length - 4);
    expect(() => inflateMember(member, "the part")).toThrowError(/claims 4294967280 bytes/);
  });
});
