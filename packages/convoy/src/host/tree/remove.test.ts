import { chmod, link, mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requireOrSkip, skipFor } from "../../../../../test/lab/apt.ts";
import { mountBind, mountTmpfs } from "../../../../../test/lab/filesystems.ts";
import { succeed } from "../../../../../test/lab/run.ts";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { fillRichTree } from "../../../../../test/lab/tree.ts";
import { Dir } from "../dir.ts";
import * as sys from "../sys.ts";
import { emptyTree, removeTree } from "./remove.ts";
import { openDescriptors, testContext } from "./test-snapshot.ts";

const notRoot = process.getuid?.() === 0 ? undefined : "device nodes and mounts need root";

describe.skipIf(skipFor(notRoot) || (await requireOrSkip("acl", "attr")))("removing trees", () => {
  const scratch = scratchPerTest();

  async function parentDirectory(): Promise<Dir> {
    const dir = await Dir.open(await scratch.directory("parent"));
    scratch.defer(() => dir.close());
    return dir;
  }

  test("everything that a volume may hold goes, its neighbours stay", async () => {
    const parent = await parentDirectory();
    await mkdir(join(parent.path, "volume"));
    await fillRichTree(join(parent.path, "volume"));
    await writeFile(join(parent.path, "volume2"), "neighbour");
    await removeTree(parent, "volume", testContext());
    expect(await readdir(parent.path)).toEqual(["volume2"]);
  });

  test("links are removed and not followed, at the top and below", async () => {
    const parent = await parentDirectory();
    const outside = await scratch.directory("outside");
    await writeFile(join(outside, "file"), "stays");
    await mkdir(join(parent.path, "volume/sub"), { recursive: true });
    await symlink(outside, join(parent.path, "volume/sub/link"));
    await link(join(outside, "file"), join(parent.path, "volume/hard"));
    await symlink(outside, join(parent.path, "link"));
    await removeTree(parent, "volume", testContext());
    await removeTree(parent, "link", testContext());
    expect(await readdir(parent.path)).toEqual([]);
    expect(await readFile(join(outside, "file"), "utf8")).toBe("stays");
  });

  test("what is absent is a success, and so is a single file", async () => {
    const parent = await parentDirectory();
    await writeFile(join(parent.path, "file"), "");
    await removeTree(parent, "file", testContext());
    await removeTree(parent, "file", testContext());
    expect(await readdir(parent.path)).toEqual([]);
  });

  test("2,000 directories deep", async () => {
    const parent = await parentDirectory();
    let fd = sys.openat(parent.fd, ".", sys.O.RDONLY | sys.O.DIRECTORY);
    for (let depth = 0; depth < 2000; depth++) {
      sys.mkdirat(fd, "directory", 0o755);
      const next = sys.openat(fd, "directory", sys.O.RDONLY | sys.O.DIRECTORY);
      sys.close(fd);
      fd = next;
    }
    sys.close(fd);
    const before = await openDescriptors();
    await removeTree(parent, "directory", testContext());
    expect(await readdir(parent.path)).toEqual([]);
    expect(await openDescriptors()).toEqual(before);
  });

  test("R7: a mount below stops it, by name, and loses nothing of what is mounted", async () => {
    const parent = await parentDirectory();
    const outside = await scratch.directory("outside");
    await writeFile(join(outside, "file"), "stays");
    await mkdir(join(parent.path, "volume/sub/mounted"), { recursive: true });
    await mountBind(scratch, outside, join(parent.path, "volume/sub/mounted"));
    const before = await openDescriptors();
    await expect(removeTree(parent, "volume", testContext())).rejects.toMatchObject({
      code: "VOLUME_BUSY",
      message: expect.stringContaining(`${parent.path}/volume/sub/mounted is a mount point`),
    });
    expect(await readFile(join(outside, "file"), "utf8")).toBe("stays");
    expect(await openDescriptors()).toEqual(before);
  });

  test("R7: a mount point itself is not entered as a name, but can be emptied", async () => {
    const parent = await parentDirectory();
    await mkdir(join(parent.path, "volume"));
    const disk = await mountTmpfs(scratch, 1);
    await mkdir(join(disk, "sub"));
    await writeFile(join(disk, "sub/file"), "x");
    await mountBind(scratch, disk, join(parent.path, "volume"));
    await expect(removeTree(parent, "volume", testContext())).rejects.toMatchObject({ code: "VOLUME_BUSY" });
    expect(await readdir(disk)).toEqual(["sub"]);
    await emptyTree(join(parent.path, "volume"), testContext());
    expect(await readdir(disk)).toEqual([]);
    expect(await readdir(parent.path)).toEqual(["volume"]);
  });

  test("an immutable file is named, with what to look at", async () => {
    const parent = await parentDirectory();
    await mkdir(join(parent.path, "volume"));
    const file = join(parent.path, "volume/fixed");
    await writeFile(file, "");
    await succeed("chattr", ["+i", file]);
    scratch.defer(() => succeed("chattr", ["-i", file]));
    await expect(removeTree(parent, "volume", testContext())).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("/volume/fixed cannot be removed: EPERM"),
      hint: expect.stringContaining("lsattr"),
    });
  });

  test("an abort stops it, and a repetition finishes it", async () => {
    const parent = await parentDirectory();
    await mkdir(join(parent.path, "volume"));
    for (let index = 0; index < 100; index++) await mkdir(join(parent.path, `volume/d${index}`), { mode: 0o500 });
    await chmod(join(parent.path, "volume"), 0o500);
    await expect(removeTree(parent, "volume", testContext({ signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: "CANCELLED",
    });
    expect(await readdir(join(parent.path, "volume"))).toHaveLength(100);
    await removeTree(parent, "volume", testContext());
    expect(await readdir(parent.path)).toEqual([]);
  });
});
