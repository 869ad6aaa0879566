import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { scratchPerSuite, scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { isConvoyError } from "../../errors.ts";
import {
  archiveOf,
  cannotTest,
  collect,
  context,
  empty,
  makeSparse,
  member,
  ROOT,
  run,
  snapshotOf,
  stream,
} from "./archive.fixture.ts";
import { extractArchive, writeArchive } from "./index.ts";
import { encodeHeader } from "./tar/header.ts";

const scratch = scratchPerTest();
let directory: string;

beforeEach(async () => {
  directory = await scratch.directory("volume");
});

function extract(bytes: Uint8Array, expected?: { size?: number; sha256?: string }) {
  const target = { kind: "tree" as const, directory, reserveBytes: 0 };
  return extractArchive({ body: stream(bytes), target, ...(expected && { expect: expected }) }, context());
}

/** A small archive in each of the two shapes: ours with several members, and one member as Convoy v0.5.2 wrote. */
const archives: Record<"ours" | "original", Buffer> = { ours: Buffer.alloc(0), original: Buffer.alloc(0) };

const prepared = scratchPerSuite();

beforeAll(async () => {
  if (cannotTest) return;
  const source = await prepared.directory("source");
  const tree = join(source, "tree");
  fs.mkdirSync(join(tree, "docs"), { recursive: true });
  fs.writeFileSync(join(tree, "docs/a"), "some text\n".repeat(500));
  fs.writeFileSync(join(tree, "docs/long".padEnd(200, "g")), randomBytes(100));
  fs.symlinkSync("docs/a", join(tree, "link"));
  makeSparse(join(tree, "sparse"), 300_000, 200_000, Buffer.from("data"));
  fs.writeFileSync(join(tree, "zeros"), Buffer.alloc(2_500_000));
  archives.ours = await collect(writeArchive({ source: await snapshotOf(tree, source) }, context()).body);
  run("tar", "cf", join(source, "t"), "-C", tree, "--exclude=./zeros", "--exclude=./sparse", ".");
  archives.original = gzipSync(fs.readFileSync(join(source, "t")));
});

describe.skipIf(cannotTest)("damaged archives", () => {
  describe.each(["ours", "original"] as const)("an archive (%s)", (kind) => {
    test("whole, restores", async () => {
      await extract(archives[kind]);
      expect(fs.readFileSync(join(directory, "docs/a"), "utf8")).toHaveLength(5000);
    });

    test("cut off anywhere is damaged", async () => {
      const archive = archives[kind];
      const step = Math.max(1, Math.floor(archive.length / 120));
      for (let length = 0; length < archive.length; length += step) {
        empty(directory);
        await expect(extract(archive.subarray(0, length)), `${length} bytes`).rejects.toMatchObject({
          code: "BACKUP_DAMAGED",
        });
      }
      await expect(extract(archive.subarray(0, -1))).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
    });

    test("with flipped bits never restores to something else unnoticed", async () => {
      const archive = archives[kind];
      await extract(archive);
      const intact = run("tar", "cf", "-", "--sort=name", "-C", directory, "docs").length;
      for (let bit = 0; bit < 8 * archive.length; bit += Math.floor(archive.length / 12) | 1) {
        const flipped = Buffer.from(archive);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        empty(directory);
        const error = await extract(flipped).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        // A bit of no meaning (time of a gzip header) is the only one that may pass.
        if (error === undefined)
          expect(run("tar", "cf", "-", "--sort=name", "-C", directory, "docs").length).toBe(intact);
        else expect(isConvoyError(error, "BACKUP_DAMAGED", "FORGED"), `bit ${bit}: ${error}`).toBe(true);
      }
    });

    test("with anything behind its end is damaged", async () => {
      for (const tail of [
        Buffer.from("garbage"),
        Buffer.alloc(1),
        Buffer.alloc(5000),
        archives[kind],
        randomBytes(3_000_000),
      ]) {
        empty(directory);
        await expect(extract(Buffer.concat([archives[kind], tail]))).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
      }
    });

    test("of another size or SHA-256 than recorded is damaged, naming both", async () => {
      const { length } = archives[kind];
      await expect(extract(archives[kind], { size: length + 1 })).rejects.toMatchObject({
        code: "BACKUP_DAMAGED",
        message: expect.stringContaining(`${length} bytes, recorded are ${length + 1}`),
      });
      empty(directory);
      await expect(extract(archives[kind], { sha256: "0".repeat(64) })).rejects.toMatchObject({
        code: "BACKUP_DAMAGED",
        message: expect.stringContaining("0".repeat(64)),
      });
    });
  });

  test("garbage between two members of an archive is damage, naming the place", async () => {
    const { ours } = archives;
    const first = ours.readUInt32LE(16);
    const broken = Buffer.concat([ours.subarray(0, first), Buffer.from("junk"), ours.subarray(first)]);
    await expect(extract(broken)).rejects.toMatchObject({
      code: "BACKUP_DAMAGED",
      message: expect.stringContaining(`byte ${first}`),
    });
  });

  test("two members of an archive in the wrong order are damage", async () => {
    const { ours } = archives;
    const first = ours.readUInt32LE(16);
    const swapped = Buffer.concat([ours.subarray(first), ours.subarray(0, first)]);
    await expect(extract(swapped)).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
  });

  test("an archive that another program compressed again, in several members, restores", async () => {
    const tar = Buffer.concat([ROOT, member({ path: Buffer.from("a") }, "x".repeat(3000)), Buffer.alloc(1024)]);
    await extract(Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]));
    expect(fs.readFileSync(join(directory, "a"), "utf8")).toBe("x".repeat(3000));
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["text", Buffer.from("this is no archive, only a text of some length")],
    ["a tar that is not compressed", Buffer.concat([ROOT, Buffer.alloc(1024)])],
    ["gzip of something else", gzipSync(randomBytes(100_000))],
    ["gzip of nothing", gzipSync(Buffer.alloc(0))],
    ["gzip of one block of zeros", gzipSync(Buffer.alloc(512))],
  ])("%s is no archive", async (_, bytes) => {
    await expect(extract(bytes)).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
  });

  test("a member of an unknown kind is refused by name", async () => {
    const header = encodeHeader({
      name: Buffer.from("./strange"),
      mode: 0n,
      uid: 0n,
      gid: 0n,
      size: 0n,
      mtime: 0n,
      type: "V",
      link: Buffer.alloc(0),
      major: 0n,
      minor: 0n,
    });
    await expect(extract(archiveOf(ROOT, header))).rejects.toMatchObject({
      code: "BACKUP_DAMAGED",
      message: expect.stringContaining("strange"),
    });
  });

  test("an extended header that claims gigabytes is refused before any memory is taken", async () => {
    const header = encodeHeader({
      name: Buffer.from("./x"),
      mode: 0n,
      uid: 0n,
      gid: 0n,
      size: 5_000_000_000n,
      mtime: 0n,
      type: "x",
      link: Buffer.alloc(0),
      major: 0n,
      minor: 0n,
    });
    await expect(extract(archiveOf(ROOT, header))).rejects.toMatchObject({
      code: "BACKUP_DAMAGED",
      message: expect.stringContaining("5000000000"),
    });
  });

  test("an error of the store reaches the caller as it is", async () => {
    const failure = new Error("the store is gone");
    const body = (async function* () {
      yield archives.ours.subarray(0, 100);
      throw failure;
    })();
    const target = { kind: "tree" as const, directory, reserveBytes: 0 };
    await expect(extractArchive({ body, target }, context())).rejects.toBe(failure);
    const foreign = (async function* () {
      yield archives.original.subarray(0, 100);
      throw failure;
    })();
    await expect(extractArchive({ body: foreign, target }, context())).rejects.toBe(failure);
  });
});
