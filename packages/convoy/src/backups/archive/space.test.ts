import fs from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { archiveOf, cannotTest, context, member, ROOT, run, stream } from "./archive.fixture.ts";
import { extractArchive } from "./index.ts";

const MIB = 1024 * 1024;
const scratch = scratchPerTest();
let directory: string;

/** A file system of 16 MiB and 1,000 inodes. */
async function mountSmall(): Promise<void> {
  directory = await scratch.directory("small");
  run("mount", "-t", "tmpfs", "-o", "size=16m,nr_inodes=1000", "archive-test", directory);
  scratch.defer(() => run("umount", directory));
}

function freeBytes(): number {
  const { bavail, bsize } = fs.statfsSync(directory);
  return bavail * bsize;
}

function extract(body: AsyncIterable<Uint8Array>, reserveBytes: number) {
  return extractArchive({ body, target: { kind: "tree", directory, reserveBytes } }, context());
}

/** An archive of one file of zeros that is `size` bytes large, made in pieces of 1 MiB: small itself. */
async function* bomb(size: number): AsyncGenerator<Uint8Array> {
  yield gzipSync(Buffer.concat([ROOT, member({ path: Buffer.from("bomb"), size })]));
  const piece = gzipSync(Buffer.alloc(MIB));
  for (let done = 0; done < size; done += MIB) yield piece;
  yield gzipSync(Buffer.alloc(1024));
}

describe.skipIf(cannotTest)("a file system that gets full", () => {
  beforeEach(mountSmall);

  test("R27: extraction stops before less than the reserve is left, and says how much there is", async () => {
    const reserve = 6 * MIB;
    await expect(extract(bomb(1024 * MIB), reserve)).rejects.toMatchObject({
      code: "NO_SPACE",
      message: expect.stringContaining(String(reserve)),
    });
    expect(freeBytes()).toBeGreaterThanOrEqual(reserve);
  });

  test("what fits beside the reserve is restored", async () => {
    await extract(bomb(9 * MIB), 6 * MIB);
    expect(fs.statSync(join(directory, "bomb")).size).toBe(9 * MIB);
  });

  test("a reserve that is not there even before the first byte", async () => {
    await expect(extract(bomb(MIB), 17 * MIB)).rejects.toMatchObject({ code: "NO_SPACE" });
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  test("small files count with the space that they take, not with their size", async () => {
    const files = Array.from({ length: 800 }, (_, i) => member({ path: Buffer.from(`f${i}`) }, "x"));
    const free = freeBytes();
    const reserve = free - 400 * 4096;
    await expect(extract(stream(archiveOf(ROOT, ...files)), reserve)).rejects.toMatchObject({ code: "NO_SPACE" });
    expect(freeBytes()).toBeGreaterThanOrEqual(reserve);
  });

  test("a file system without free inodes is full", async () => {
    const files = Array.from({ length: 2000 }, (_, i) => member({ path: Buffer.from(`f${i}`) }));
    await expect(extract(stream(archiveOf(ROOT, ...files)), 0)).rejects.toMatchObject({ code: "NO_SPACE" });
  });

  test("a file system that is full without a reserve is an error too, not a short file", async () => {
    await expect(extract(bomb(64 * MIB), 0)).rejects.toMatchObject({ code: "NO_SPACE" });
  });
});
