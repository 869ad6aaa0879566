import { link, lstat, mkdir, readdir, readFile, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requireOrSkip, skipFor } from "../../../../../test/lab/apt.ts";
import { mountBind, mountLoop, mountTmpfs, needFileSystem, unmount } from "../../../../../test/lab/filesystems.ts";
import { succeed } from "../../../../../test/lab/run.ts";
import { type Scratch, scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { describeTree, fillRichTree, pattern } from "../../../../../test/lab/tree.ts";
import * as sys from "../sys.ts";
import { snapshotTree } from "./snapshot.ts";
import { makePlace, take, testContext } from "./test-snapshot.ts";
import { openRoot } from "./walk.ts";

const notRoot = process.getuid?.() === 0 ? undefined : "only root can mount";
const withoutRoot = skipFor(notRoot);

async function freeBytes(path: string): Promise<number> {
  await succeed("sync", ["-f", path]);
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

describe.skipIf(withoutRoot)("R16: a snapshot stays on the mount it began on", () => {
  const scratch = scratchPerTest();

  test("another file system below it is left out and named; its directory stays, empty", async () => {
    const source = await scratch.directory("source");
    await mkdir(join(source, "data"));
    const disk = await mountTmpfs(scratch, 1);
    await writeFile(join(disk, "foreign"), "x");
    await mountBind(scratch, disk, join(source, "data"));
    const { result, target, entries } = await take(scratch, source);
    expect(result.skipped).toEqual(["data (another file system is mounted there)"]);
    expect(await readdir(join(target, "data"))).toEqual([]);
    expect(entries.get("data")!.type).toBe("directory");
  });

  test("bind mounts of the very same device are noticed, directories and single files", async () => {
    const source = await scratch.directory("source");
    const host = await scratch.directory("host");
    await writeFile(join(host, "secret"), "secret");
    await mkdir(join(source, "host"));
    await writeFile(join(source, "file"), "own");
    expect((await lstat(host)).dev).toBe((await lstat(source)).dev);
    await mountBind(scratch, host, join(source, "host"));
    await mountBind(scratch, join(host, "secret"), join(source, "file"));
    const { result, target } = await take(scratch, source);
    expect(result.skipped.sort()).toEqual([
      "file (another file system is mounted there)",
      "host (another file system is mounted there)",
    ]);
    expect(await readdir(target)).toEqual(["host"]);
    expect(await readdir(join(target, "host"))).toEqual([]);
  });
});

describe.skipIf(withoutRoot)("snapshots on a full disk", () => {
  const scratch = scratchPerTest();

  test("fail with NO_SPACE, name the place and leave no manifest", async () => {
    const source = await scratch.directory("source");
    await writeFile(join(source, "big"), pattern(3 << 20, 1));
    const disk = await mountTmpfs(scratch, 2);
    const place = await makePlace(scratch, disk);
    const failed = snapshotTree({ source, ...place }, testContext());
    await expect(failed).rejects.toMatchObject({ code: "NO_SPACE", message: expect.stringContaining("'big'") });
    expect(await readdir(disk)).toEqual(["tree"]);
  });
});

describe.skipIf(withoutRoot)("snapshots in memory (tmpfs)", () => {
  const scratch = scratchPerTest();

  test("names beyond the target's limit of links become copies", async () => {
    // ext4 takes 65,000 links of one inode, tmpfs any number.
    const source = await mountTmpfs(scratch, 64);
    await writeFile(join(source, "first"), "content");
    const fd = openRoot(source);
    for (let index = 0; index < 65_001; index++) sys.linkat(fd, "first", fd, `name${index}`);
    sys.close(fd);
    const { result, target } = await take(scratch, source);
    expect(result.entries).toBe(65_003);
    expect(result.copiedLinks).toBe(1);
    const names = await readdir(target);
    expect(names).toHaveLength(65_002);
    expect(await readFile(join(target, names.at(-1)!), "utf8")).toBe("content");
    // The copy takes the links that follow.
    expect((await lstat(join(target, "first"))).nlink).toBe(65_000);
    expect((await lstat(join(target, names.sort().at(-1)!))).nlink).toBe(2);
    expect(result.bytes).toBe(2 * "content".length);
  });
});

const KINDS = ["xfs", "btrfs"] as const;

for (const kind of KINDS) {
  describe.skipIf(skipFor(await needFileSystem(kind)) || (await requireOrSkip("acl", "attr")))(
    `reflinks on ${kind}`,
    () => {
      const scratch = scratchPerTest();

      async function disk(scratch: Scratch): Promise<{ source: string; base: string }> {
        const point = await mountLoop(scratch, kind, 512);
        const [source, base] = [join(point, "source"), join(point, "place")];
        await mkdir(source);
        await mkdir(base);
        return { source, base };
      }

      test("a copy shares its blocks, and a later write to the source does not reach it", async () => {
        const { source, base } = await disk(scratch);
        const content = pattern(64 << 20, 3);
        await writeFile(join(source, "big"), content);
        const before = await freeBytes(source);
        const { result, target, entries } = await take(scratch, source, { base });
        expect(before - (await freeBytes(source))).toBeLessThan(16 << 20);
        expect(result).toMatchObject({ reflinked: true, onePointInTime: true, bytes: 64 << 20 });
        expect(entries.get("big")!.checksum).toBeUndefined();
        await writeFile(join(source, "big"), "changed");
        expect((await readFile(join(target, "big"))).equals(content)).toBe(true);
      });

      test("everything that a volume may hold is kept", async () => {
        const { source, base } = await disk(scratch);
        await fillRichTree(source);
        const { target, result } = await take(scratch, source, { base });
        expect(result.reflinked).toBe(true);
        expect(await describeTree(target)).toEqual(await describeTree(source));
      });

      test("without them the data is copied and has a checksum", async () => {
        const { source, base } = await disk(scratch);
        await writeFile(join(source, "file"), "content");
        await link(join(source, "file"), join(source, "link"));
        const { result, entries } = await take(scratch, source, { base, reflink: "never" });
        expect(result.reflinked).toBe(false);
        expect(entries.get("file")!.checksum).toMatch(/^[0-9a-f]{64}$/);
      });

      test("a source on another file system is copied", async () => {
        const { base } = await disk(scratch);
        const source = await scratch.directory("source");
        for (let index = 0; index < 20; index++) await writeFile(join(source, `file${index}`), `content ${index}`);
        const { result, target } = await take(scratch, source, { base });
        expect(result.reflinked).toBe(false);
        expect(await describeTree(target)).toEqual(await describeTree(source));
      });
    },
  );
}

describe.skipIf(skipFor(await needFileSystem("btrfs")))("subvolumes of btrfs", () => {
  const scratch = scratchPerTest();

  test("are part of the tree: they are the same mount, though another device number", async () => {
    const point = await mountLoop(scratch, "btrfs", 128);
    await mkdir(join(point, "source"));
    await mkdir(join(point, "place"));
    await succeed("btrfs", ["subvolume", "create", join(point, "source/sub")]);
    await writeFile(join(point, "source/sub/file"), "in a subvolume");
    const { result, target } = await take(scratch, join(point, "source"), { base: join(point, "place") });
    expect(result.skipped).toEqual([]);
    expect(await readFile(join(target, "sub/file"), "utf8")).toBe("in a subvolume");
  });
});

describe.skipIf(withoutRoot || (await requireOrSkip("attr")))("targets without extended attributes", () => {
  const scratch = scratchPerTest();

  async function ramfs(): Promise<string> {
    const point = await scratch.directory("ramfs");
    await succeed("mount", ["-t", "ramfs", "ramfs", point]);
    scratch.defer(() => unmount(point));
    return point;
  }

  test("fail only if there is one to keep, and name it", async () => {
    const source = await scratch.directory("source");
    await writeFile(join(source, "file"), "x");
    const first = join(await ramfs(), "first");
    await mkdir(first);
    const { target } = await take(scratch, source, { base: first });
    expect(await readFile(join(target, "file"), "utf8")).toBe("x");
    await succeed("setfattr", ["-n", "user.note", "-v", "kept", join(source, "file")]);
    const place = await makePlace(scratch, await ramfs());
    await expect(snapshotTree({ source, ...place }, testContext())).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/user\.note of 'file'/),
    });
  });
});
