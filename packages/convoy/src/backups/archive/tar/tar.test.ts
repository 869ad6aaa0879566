import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TreeEntry } from "../../../host/tree/entry.ts";
import { aclFromText, aclToText } from "./acl.ts";
import { encodeEntry } from "./encode-entry.ts";
import { BLOCK, decodeHeader, encodeHeader, padding } from "./header.ts";
import { memberPath } from "./names.ts";
import { decimalSeconds, parseNumber, parseSeconds } from "./numbers.ts";
import { decodePax, encodePax } from "./pax.ts";
import { TarReader } from "./reader.ts";
import { alignRanges, encodeSparseMap, type Range, SparseMapDecoder } from "./sparse.ts";

const bytes = (options: { minLength?: number; maxLength: number }) =>
  fc.uint8Array(options).map((array) => Buffer.from(array));

/** One part of a path: any bytes but `/` and NUL, and not `.` or `..`. */
const part = bytes({ minLength: 1, maxLength: 60 })
  .map((buffer) => Buffer.from(buffer.map((byte) => (byte === 0 || byte === 0x2f ? 0x78 : byte))))
  .filter((buffer) => !/^\.\.?$/.test(buffer.toString("latin1")));
const path = fc
  .array(part, { minLength: 1, maxLength: 6 })
  .map((parts) => Buffer.concat(parts.flatMap((buffer, index) => (index ? [Buffer.from("/"), buffer] : [buffer]))));

const common = {
  path,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.integer({ min: 0, max: 0xfffffffe }),
  gid: fc.integer({ min: 0, max: 0xfffffffe }),
  mtimeNs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n - 1n }),
};
const xattrs = fc
  .array(
    fc.tuple(
      fc
        .string({ minLength: 1, maxLength: 20 })
        .map((s) => `user.${Buffer.from(s).toString("latin1").replaceAll("\0", "")}`),
      bytes({ maxLength: 300 }),
    ),
    { maxLength: 4 },
  )
  .map((pairs) => new Map(pairs));

const withXattrs = <T extends object>(entry: T, map: Map<string, Buffer>) =>
  map.size > 0 ? { ...entry, xattrs: map } : entry;
const size = fc.oneof(fc.nat(5000), fc.bigInt({ min: 0n, max: 2n ** 53n - 1n }).map(Number));

/** Any entry, as a manifest may hold it. */
const entry: fc.Arbitrary<TreeEntry> = fc.oneof(
  fc
    .record({ ...common, type: fc.constant("file" as const), size, map: xattrs })
    .map(({ map, ...e }) => withXattrs(e, map)),
  fc
    .record({ ...common, type: fc.constant("directory" as const), size: fc.constant(0), map: xattrs })
    .map(({ map, ...e }) => withXattrs(e, map)),
  fc.record({ ...common, type: fc.constant("fifo" as const), size: fc.constant(0) }),
  fc.record({ ...common, type: fc.constant("symlink" as const), size: fc.constant(0), target: path }),
  fc.record({
    ...common,
    type: fc.constantFrom("character" as const, "block" as const),
    size: fc.constant(0),
    device: fc.record({ major: fc.nat(0xfff), minor: fc.nat(0xfffff) }),
  }),
);

/** Reads headers back: data is not sent, so sizes may be enormous. */
function decoded(head: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  const reader = new TarReader({ entry: (e) => entries.push(e), data: () => undefined, entryEnd: () => undefined });
  reader.push(head);
  return entries;
}

describe("the headers of a member", () => {
  test("give back any entry", () => {
    fc.assert(
      fc.property(entry, (original) => {
        expect(decoded(encodeEntry(original).head)).toEqual([original]);
      }),
    );
  });

  test("give back a hard link's path and target", () => {
    fc.assert(
      fc.property(path, path, (name, target) => {
        const link: TreeEntry = {
          path: name,
          type: "file",
          mode: 0,
          uid: 0,
          gid: 0,
          mtimeNs: 0n,
          size: 9,
          hardLinkTo: target,
        };
        expect(decoded(encodeEntry(link).head)).toMatchObject([{ path: name, hardLinkTo: target, size: 0 }]);
      }),
    );
  });

  test("never decode to something else after a bit was flipped", () => {
    const header = encodeHeader({
      name: Buffer.from("./a"),
      mode: 0o644n,
      uid: 1n,
      gid: 1n,
      size: 10n,
      mtime: 5n,
      type: "0",
      link: Buffer.alloc(0),
      major: 0n,
      minor: 0n,
    });
    const refused = flips(header).filter((flipped) => {
      try {
        expect(decodeHeader(flipped)).toEqual(decodeHeader(header));
        return false;
      } catch (error) {
        expect(error).toMatchObject({ code: "BACKUP_DAMAGED" });
        return true;
      }
    });
    // What is left are spaces for zeros in the checksum's own field, and what separates it.
    expect(refused.length).toBeGreaterThan(8 * (BLOCK - 5));
  });
});

/** The bytes with one bit changed, for each bit. */
function flips(bytes: Buffer): Buffer[] {
  return Array.from({ length: 8 * bytes.length }, (_, bit) => {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    return flipped;
  });
}

test("a stream cut into pieces of any size is read alike", () => {
  const file = fc.tuple(
    path,
    fc.uint8Array({ maxLength: 2000 }).map((a) => Buffer.from(a)),
  );
  fc.assert(
    fc.property(
      fc.array(file, { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1 }),
      (files, cuts) => {
        const stream = Buffer.concat([
          ...files.flatMap(([name, data]) => {
            const e: TreeEntry = {
              path: name,
              type: "file",
              mode: 0o600,
              uid: 0,
              gid: 0,
              mtimeNs: 1n,
              size: data.length,
            };
            return [encodeEntry(e).head, data, Buffer.alloc(padding(data.length))];
          }),
          Buffer.alloc(2 * BLOCK),
        ]);
        const read: [Buffer, Buffer][] = [];
        let ended = 0;
        const reader = new TarReader({
          entry: (e) => read.push([e.path, Buffer.alloc(0)]),
          data: (chunk, offset) => {
            const last = read.at(-1)!;
            expect(offset).toBe(last[1].length);
            last[1] = Buffer.concat([last[1], chunk]);
          },
          entryEnd: () => ended++,
        });
        for (let at = 0, i = 0; at < stream.length; i++) {
          const cut = cuts[i % cuts.length]!;
          reader.push(stream.subarray(at, at + cut));
          at += cut;
        }
        reader.end();
        expect(read).toEqual(files);
        expect(ended).toBe(files.length);
      },
    ),
  );
});

test("PAX records give back any keys and values", () => {
  const key = fc.stringMatching(/^[A-Za-z.]{1,30}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(key, bytes({ maxLength: 1200 }))), (pairs) => {
      const records = new Map(pairs);
      expect(decodePax(encodePax(records))).toEqual(records);
    }),
  );
});

test.each([
  "5 a=b",
  "6 a=bc",
  "7 ab=\n",
  "x a=b\n",
  "99 a=b\n",
  "6 abc\n",
  "-6 a=b\n",
  "0 a=b\n",
  " a=b\n",
  "99999999999 a=b\n",
])("the malformed PAX record %j is refused", (text) =>
  expect(() => decodePax(Buffer.from(text))).toThrowError(/damaged/),
);

test("times of any sign give back every nanosecond", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (ns) => {
      expect(parseSeconds(decimalSeconds(ns))).toBe(ns);
    }),
  );
  expect(decimalSeconds(-1_250_000_000n)).toBe("-1.25");
});

test("numbers are read in octal and, as GNU tar writes large ones, in base 256", () => {
  expect(parseNumber(Buffer.from("0000644\0"), "mode")).toBe(0o644n);
  expect(parseNumber(Buffer.from(" 644 \0\0\0"), "mode")).toBe(0o644n);
  expect(parseNumber(Buffer.from("800000000000abcdef012345", "hex"), "size")).toBe(0xabcdef012345n);
  expect(parseNumber(Buffer.from("ffffffffffffffff", "hex"), "time")).toBe(-1n);
  expect(() => parseNumber(Buffer.from("0000648\0"), "mode")).toThrowError(/the mode of a member is not a number/);
});

test("ACLs give back every entry", () => {
  const acl = "user::rwx,user:4321:r-x,group::---,group:99:-w-,mask::rwx,other::--x";
  expect(aclToText(aclFromText(acl))).toBe(acl);
  // As GNU tar and star write them: one entry per line, a name with its number.
  expect(aclToText(aclFromText("user::rw-\nuser:joe:r--:1000\ngroup::r--\nmask::r--\nother::r--\n"))).toBe(
    "user::rw-,user:1000:r--,group::r--,mask::r--,other::r--",
  );
  expect(() => aclFromText("user:joe:r--")).toThrowError(/access control list/);
});

test("the map of a sparse file gives back its ranges", () => {
  const gaps = fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 1, max: 5000 })), { maxLength: 300 });
  fc.assert(
    fc.property(gaps, fc.nat(5000), (pairs, tail) => {
      let at = 0;
      const ranges: Range[] = pairs.map(([gap, length]) => {
        const start = at + gap;
        at = start + length;
        return { start, end: at };
      });
      const total = at + tail;
      const aligned = alignRanges(ranges, total);
      const map = encodeSparseMap(aligned, total);
      const decoder = new SparseMapDecoder(total);
      for (let block = 0; block < map.length; block += BLOCK) {
        expect(decoder.push(map.subarray(block, block + BLOCK))).toBe(block + BLOCK === map.length);
      }
      expect(decoder.ranges.filter(({ start, end }) => end > start)).toEqual(aligned);
      const covered = (offset: number, list: Range[]) => list.some(({ start, end }) => start <= offset && offset < end);
      for (const { start, end } of ranges) {
        expect(covered(start, aligned) && covered(end - 1, aligned)).toBe(true);
      }
      for (const { start, end } of aligned) expect([start % BLOCK, end === total ? 0 : end % BLOCK]).toEqual([0, 0]);
    }),
  );
});

test.each(["1\n5\n", "x\n", "1\n0\n99\n", "2\n50\n10\n40\n5\n", "9999999\n"])(
  "the forged sparse map %j is refused",
  (text) => {
    const decoder = new SparseMapDecoder(60);
    const block = Buffer.alloc(BLOCK, "1");
    block.write(text);
    expect(() => {
      decoder.push(block);
      decoder.push(block);
    }).toThrowError(/sparse/);
  },
);

test("paths of members are cleaned, never repaired", () => {
  expect(memberPath(Buffer.from("./docs//a/./b/")).toString()).toBe("docs/a/b");
  expect(memberPath(Buffer.from("./")).length).toBe(0);
  expect(memberPath(Buffer.from("..data/...")).toString()).toBe("..data/...");
  for (const name of ["/etc/passwd", "..", "../x", "./a/../../x", "a/..", "a\0b"]) {
    expect(() => memberPath(Buffer.from(name)), name).toThrowError(/refused/);
  }
});
