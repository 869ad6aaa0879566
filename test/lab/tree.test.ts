import { chmod, mkdir, open, rm, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requireOrSkip } from "./apt.ts";
import { succeed } from "./run.ts";
import { scratchPerTest } from "./scratch.ts";
import { describeTree, fillRichTree } from "./tree.ts";

describe.skipIf(await requireOrSkip("acl", "attr"))("comparing trees", () => {
  const scratch = scratchPerTest();

  async function treeAndCopy(): Promise<[string, string]> {
    const base = await scratch.directory("tree");
    await mkdir(join(base, "a"));
    await fillRichTree(join(base, "a"));
    await succeed("cp", ["-a", "--sparse=auto", join(base, "a"), join(base, "b")]);
    return [join(base, "a"), join(base, "b")];
  }

  test("a faithful copy is equal", async () => {
    const [tree, copy] = await treeAndCopy();
    expect(await describeTree(copy)).toEqual(await describeTree(tree));
  });

  test.each<[string, (copy: string) => Promise<unknown>]>([
    ["a byte of data", (copy) => writeFile(join(copy, "etc/owned"), "owneD\n").then(() => undefined)],
    ["a mode", (copy) => chmod(join(copy, "etc/setuid"), 0o755)],
    ["a nanosecond", (copy) => succeed("touch", ["-d", "2001-09-09T01:46:40.123456788Z", join(copy, "etc/owned")])],
    ["a directory's time", (copy) => utimes(join(copy, "empty-dir"), 1, 1)],
    ["an attribute", (copy) => succeed("setfattr", ["-x", "user.note", join(copy, "etc/plain.txt")])],
    ["an ACL", (copy) => succeed("setfacl", ["-x", "u:4711", join(copy, "etc/owned")])],
    ["a hard link", (copy) => breakLink(copy)],
    ["holes", (copy) => fillHoles(join(copy, "holes.img"))],
    ["a missing file", (copy) => rm(join(copy, "fifo"))],
    ["an extra file", (copy) => writeFile(join(copy, "etc/extra"), "")],
  ])("%s makes a difference", async (_what, change) => {
    const [tree, copy] = await treeAndCopy();
    await change(copy);
    expect(await describeTree(copy)).not.toEqual(await describeTree(tree));
  });

  async function breakLink(copy: string): Promise<void> {
    await succeed("cp", ["-a", join(copy, "hard-link"), join(copy, "other")]);
    await succeed("mv", ["-f", join(copy, "other"), join(copy, "hard-link")]);
  }

  async function fillHoles(path: string): Promise<void> {
    const handle = await open(path, "r+");
    const { mtime, atime, size } = await handle.stat();
    const bytes = await handle.readFile();
    await handle.write(bytes, 0, size, 0);
    await handle.utimes(atime, mtime);
    await handle.close();
  }
});
