import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ObjectInfo, Store } from "./store.ts";

export interface StoreUnderTest {
  /** Opens another store object of the same, at first empty, place. */
  open(): Promise<Store>;
  /** Gives everything back. */
  end(): Promise<void>;
}

const ROOT = "convoy-objectstore/volumes";
const MIB = 1 << 20;

export async function keysOf(listing: AsyncIterable<ObjectInfo>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listing) keys.push(key);
  return keys.sort();
}

export async function contentOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");

/** Gives the data in pieces of odd sizes, always in the same buffer, as a careful maker of archives does. */
async function* inPieces(data: Buffer, size: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(size);
  for (let at = 0; at < data.length; at += size) {
    const piece = data.subarray(at, at + size);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    buffer.fill(0xee);
  }
}

async function* failing(data: Buffer, error: Error): AsyncGenerator<Uint8Array> {
  yield data;
  throw error;
}

/** What every store does, whatever it is made of. */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`store contract: ${name}`, () => {
    let place: StoreUnderTest;
    let store: Store;

    beforeAll(async () => {
      place = await make();
      store = await place.open();
    });

    afterAll(async () => {
      await store?.close();
      await place?.end();
    });

    test("what was put is there, for another store object too", async () => {
      const key = `${ROOT}/vo/l1/vol1/volume.cfg`;
      const data = Buffer.from('{"Name":"vol1"}');
      expect(await store.put(key, data)).toMatchObject({ key, size: data.length });
      const other = await place.open();
      try {
        expect(Buffer.from((await other.read(key, { maxBytes: 1000 }))!)).toEqual(data);
        expect(await other.stat(key)).toMatchObject({ key, size: data.length });
        const { info, body } = await other.get(key);
        expect(info.size).toBe(data.length);
        expect(await contentOf(body)).toEqual(data);
      } finally {
        await other.close();
      }
    });

    test.each([
      ["with its size known", 37 * MIB + 12_345, 37 * MIB],
      ["with its size unknown", 37 * MIB + 12_345, undefined],
      ["of exactly one part", 16 * MIB, undefined],
      ["small", 100_000, undefined],
      ["empty", 0, undefined],
    ])("a streamed object comes back bit for bit: %s", async (_, size, sizeHint) => {
      const key = `${ROOT}/st/re/stream/BackupFiles/backup-${size}.bak`;
      const data = randomBytes(size);
      await store.put(key, inPieces(data, 300_001), sizeHint === undefined ? {} : { sizeHint });
      const { info, body } = await store.get(key);
      expect(info.size).toBe(size);
      expect(sha256(await contentOf(body))).toBe(sha256(data));
    });

    test("a large object given as one array comes back", async () => {
      const key = `${ROOT}/ar/ra/array/x.bak`;
      const data = randomBytes(18 * MIB + 7);
      await store.put(key, data);
      expect(sha256(await contentOf((await store.get(key)).body))).toBe(sha256(data));
    });

    test("a second put replaces the whole object", async () => {
      const key = `${ROOT}/re/pl/repl/volume.cfg`;
      await store.put(key, Buffer.alloc(5000, "a"));
      await store.put(key, Buffer.from("b"));
      expect(Buffer.from((await store.read(key, { maxBytes: 10_000 }))!).toString()).toBe("b");
    });

    test.each([
      ["at once", 10],
      ["after 20 MiB", 20 * MIB],
    ])("a body that fails (%s) leaves the old object, and its error comes through", async (_, size) => {
      const key = `${ROOT}/fa/il/fail/volume.cfg`;
      await store.put(key, Buffer.from("old"));
      const before = await keysOf(store.list("convoy-objectstore"));
      const error = new Error("the snapshot cannot be read");
      await expect(store.put(key, failing(Buffer.alloc(size), error))).rejects.toBe(error);
      expect(Buffer.from((await store.read(key, { maxBytes: 100 }))!).toString()).toBe("old");
      expect(await keysOf(store.list("convoy-objectstore"))).toEqual(before);
    });

    test.each([
      ["in the middle", 3 * MIB],
      ["after the first parts", 40 * MIB],
    ])("a put that is cancelled %s leaves the old object, even when its body never answers", async (_, size) => {
      const key = `${ROOT}/ab/or/abort/volume.cfg`;
      await store.put(key, Buffer.from("old"));
      const before = await keysOf(store.list("convoy-objectstore"));
      const controller = new AbortController();
      async function* endless(): AsyncGenerator<Uint8Array> {
        yield Buffer.alloc(size);
        controller.abort();
        await new Promise(() => undefined);
      }
      await expect(store.put(key, endless(), { signal: controller.signal })).rejects.toMatchObject({
        code: "CANCELLED",
      });
      expect(Buffer.from((await store.read(key, { maxBytes: 100 }))!).toString()).toBe("old");
      expect(await keysOf(store.list("convoy-objectstore"))).toEqual(before);
    });

    test("an aborted signal stops every call before it does anything", async () => {
      const key = `${ROOT}/si/gn/signal/volume.cfg`;
      await store.put(key, Buffer.from("old"));
      const signal = AbortSignal.abort();
      const calls = [
        () => store.put(key, Buffer.from("new"), { signal }),
        () => store.stat(key, { signal }),
        () => store.read(key, { signal, maxBytes: 100 }),
        () => store.get(key, { signal }),
        () => keysOf(store.list(ROOT, { signal })),
        () => store.listDirectories(ROOT, { signal }),
        () => store.delete(key, { signal }),
        () => store.now({ signal }),
      ];
      for (const call of calls) await expect(call()).rejects.toMatchObject({ code: "CANCELLED" });
      expect(Buffer.from((await store.read(key, { maxBytes: 100 }))!).toString()).toBe("old");
    });

    test("reading can be cancelled in the middle", async () => {
      const key = `${ROOT}/ca/nc/cancel/x.bak`;
      await store.put(key, Buffer.alloc(20 * MIB));
      const controller = new AbortController();
      const { body } = await store.get(key, { signal: controller.signal });
      const read = (async () => {
        for await (const _ of body) controller.abort();
      })();
      await expect(read).rejects.toMatchObject({ code: "CANCELLED" });
    });

    test("R19 absent: undefined, an empty listing, or not found", async () => {
      const key = `${ROOT}/no/ne/none/volume.cfg`;
      expect(await store.stat(key)).toBeUndefined();
      expect(await store.read(key, { maxBytes: 100 })).toBeUndefined();
      await expect(store.get(key)).rejects.toMatchObject({ code: "BACKUP_NOT_FOUND" });
      expect(await keysOf(store.list(`${ROOT}/no`))).toEqual([]);
      expect(await store.listDirectories(`${ROOT}/no`)).toEqual([]);
      await store.delete(key);
      await store.put(`${ROOT}/no/ne/none/other.cfg`, Buffer.from("x"));
      expect(await store.stat(key)).toBeUndefined();
      expect(await store.read(key, { maxBytes: 100 })).toBeUndefined();
      await store.delete(key);
    });

    test("D3 deleting what belongs to vol1 leaves vol10 and vol1-old alone", async () => {
      const names = ["vol1", "vol10", "vol1-old"];
      const keys = names.map((volume) => `${ROOT}/d3/xx/${volume}/blocks/x.blk`);
      for (const key of keys) await store.put(key, Buffer.from("x"));
      await store.delete(keys[0]!);
      await store.delete(`${ROOT}/d3/xx/vol`);
      expect(await keysOf(store.list(`${ROOT}/d3`))).toEqual([keys[1], keys[2]].sort());
    });

    test("a prefix is a directory: the listing of vol1 has nothing of vol10", async () => {
      await store.put(`${ROOT}/pr/ef/vol1/a`, Buffer.from("x"));
      await store.put(`${ROOT}/pr/ef/vol10/a`, Buffer.from("x"));
      expect(await keysOf(store.list(`${ROOT}/pr/ef/vol1`))).toEqual([`${ROOT}/pr/ef/vol1/a`]);
    });

    test("directories are listed by name, objects are not among them", async () => {
      for (const key of ["db!!/volume.cfg", "db!!/backups/a.cfg", "dbdata/volume.cfg", "stray"]) {
        await store.put(`${ROOT}/di/rs/${key}`, Buffer.from("x"));
      }
      expect((await store.listDirectories(`${ROOT}/di/rs`)).sort()).toEqual(["db!!", "dbdata"]);
    });

    test("D9 a listing gives all of 1,205 objects, and a directory all of its 1,205 directories", async () => {
      const keys = Array.from({ length: 1205 }, (_, index) => `${ROOT}/ma/ny/v${index}/volume.cfg`);
      for (let at = 0; at < keys.length; at += 25) {
        await Promise.all(keys.slice(at, at + 25).map((key) => store.put(key, Buffer.from("x"))));
      }
      expect(await keysOf(store.list(`${ROOT}/ma`))).toEqual([...keys].sort());
      expect((await store.listDirectories(`${ROOT}/ma/ny`)).length).toBe(1205);
    });

    test("read refuses an object that is larger than allowed", async () => {
      const key = `${ROOT}/bi/gg/bigg/volume.cfg`;
      await store.put(key, Buffer.alloc(2000));
      await expect(store.read(key, { maxBytes: 1999 })).rejects.toMatchObject({ code: "FORGED" });
      expect((await store.read(key, { maxBytes: 2000 }))?.length).toBe(2000);
    });

    test("of concurrent puts of one key one wins whole", async () => {
      const key = `${ROOT}/co/nc/conc/volume.cfg`;
      const bodies = Array.from({ length: 8 }, (_, index) => Buffer.alloc(100_000 + index, `${index}`));
      await Promise.all(bodies.map((body) => store.put(key, inPieces(body, 7001))));
      const found = Buffer.from((await store.read(key, { maxBytes: 200_000 }))!);
      expect(bodies.some((body) => body.equals(found))).toBe(true);
    });

    test("a put into a directory that a delete is just leaving empty is not lost", async () => {
      const other = await place.open();
      const directory = `${ROOT}/ra/ce/race/blocks/aa/bb`;
      try {
        for (let round = 0; round < 60; round += 1) {
          await store.put(`${directory}/last`, Buffer.from("x"));
          // Bodies of different lengths, so that the two meet at different moments.
          const puts = [0, 1, 2].map((index) =>
            other.put(`${directory}/kept${index}`, inPieces(Buffer.alloc(((round + index * 7) % 20) * 1000), 1000)),
          );
          await Promise.all([store.delete(`${directory}/last`), ...puts]);
          const kept = [0, 1, 2].map((index) => `${directory}/kept${index}`);
          expect(await keysOf(store.list(`${ROOT}/ra`))).toEqual(kept);
          for (const key of kept) await store.delete(key);
        }
      } finally {
        await other.close();
      }
    });

    test("a body that is not read to its end holds nothing up", async () => {
      const key = `${ROOT}/ea/rl/early/x.bak`;
      await store.put(key, Buffer.alloc(8 * MIB));
      const other = await place.open();
      for await (const _ of (await other.get(key)).body) break;
      await other.get(key);
      await other.close();
    });

    test("the time of the store is that of its objects", async () => {
      const now = await store.now();
      const { modified } = await store.put(`${ROOT}/ti/me/time/volume.cfg`, Buffer.from("x"));
      const listed = await store.stat(`${ROOT}/ti/me/time/volume.cfg`);
      for (const time of [modified, listed!.modified]) {
        expect(time.getTime()).toBeGreaterThanOrEqual(now.getTime() - 2000);
        expect(time.getTime()).toBeLessThan(now.getTime() + 60_000);
      }
    });

    test("R31 anything but a clean relative key is refused before it reaches a path", async () => {
      const bad = fc.constantFrom("", "/abs", "a//b", "a/", "./a", "a/..", "../a", "a/../../b", "a\0b", ".");
      await fc.assert(
        fc.asyncProperty(bad, async (key) => {
          await expect(store.put(key, Buffer.from("x"))).rejects.toMatchObject({ code: "INTERNAL" });
          await expect(store.delete(key)).rejects.toMatchObject({ code: "INTERNAL" });
          await expect(store.read(key, { maxBytes: 10 })).rejects.toMatchObject({ code: "INTERNAL" });
        }),
        { numRuns: 20 },
      );
    });

    test("names of all kinds that Convoy writes come back", async () => {
      const part = fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.!-]{0,30}$/);
      await fc.assert(
        fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async (parts) => {
          const key = `convoy-objectstore/names/${randomBytes(4).toString("hex")}/${parts.join("/")}`;
          await store.put(key, Buffer.from(key));
          expect(Buffer.from((await store.read(key, { maxBytes: 1000 }))!).toString()).toBe(key);
          await store.delete(key);
          expect(await store.stat(key)).toBeUndefined();
        }),
        { numRuns: 25 },
      );
    });
  });
}
