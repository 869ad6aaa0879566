import { createHash } from "node:crypto";
import {
  appendFile,
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  symlink,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requireOrSkip, skipFor } from "../../../../../test/lab/apt.ts";
import { run, succeed } from "../../../../../test/lab/run.ts";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { describeTree, fillRichTree, makeSocket, RAW_NAME } from "../../../../../test/lab/tree.ts";
import { Dir } from "../dir.ts";
import * as sys from "../sys.ts";
import { emptyTree } from "./remove.ts";
import { snapshotTree } from "./snapshot.ts";
import { makePlace, openDescriptors, readEntries, take, testContext } from "./test-snapshot.ts";

const notRoot = process.getuid?.() === 0 ? undefined : "snapshots of other users' files need root";

describe.skipIf(skipFor(notRoot) || (await requireOrSkip("acl", "attr")))("tree snapshots", () => {
  const scratch = scratchPerTest();

  test("keep everything that a volume may hold", async () => {
    const source = await scratch.directory("source");
    await fillRichTree(source);
    const { target, result, entries } = await take(scratch, source);
    const wanted = await describeTree(source);
    expect(await describeTree(target)).toEqual(wanted);
    expect(result).toMatchObject({ onePointInTime: true, unstable: [], skipped: [], copiedLinks: 0 });
    expect(result.entries).toBe(entries.size);
  });

  test("describe in the manifest what they copied", async () => {
    const source = await scratch.directory("source");
    await fillRichTree(source);
    const { entries } = await take(scratch, source);
    const owned = entries.get("etc/owned")!;
    expect(owned).toMatchObject({ type: "file", uid: 12345, gid: 54321, mtimeNs: 1_000_000_000_123_456_789n, size: 6 });
    expect([...owned.xattrs!.keys()].sort()).toEqual(["system.posix_acl_access", "trusted.root"]);
    expect(owned.xattrs!.get("trusted.root")!.toString()).toBe("only");
    expect(entries.get("etc/deep")!.xattrs!.get("user.binary")).toEqual(Buffer.of(0, 0xff, 0x10));
    expect(entries.get("etc/empty")!.mtimeNs).toBe(-1_500_000_000n);
    expect(entries.get("etc/setuid")!.mode).toBe(0o4755);
    expect(entries.get("sticky")).toMatchObject({ type: "directory", mode: 0o1777 });
    expect(entries.get("link-dangling")!.target!.toString()).toBe("../../nowhere");
    expect(entries.get("null-device")).toMatchObject({ type: "character", device: { major: 1, minor: 3 } });
    expect(entries.get("block-device")).toMatchObject({ type: "block", device: { major: 7, minor: 200 } });
    expect(entries.get("fifo")!.type).toBe("fifo");
    expect(entries.get("holes.img")).toMatchObject({ size: 64 << 20, sparse: true });
    expect(entries.has(RAW_NAME.toString("latin1"))).toBe(true);
    const stat = await lstat(join(source, "etc/plain.txt"), { bigint: true });
    expect(entries.get("etc/plain.txt")!.source).toEqual({ ino: stat.ino, ctimeNs: stat.ctimeNs, nlink: 3 });
    expect(entries.get("hard-link")!.hardLinkTo?.toString()).toBeUndefined();
    expect(entries.get("etc/plain.txt")!.hardLinkTo!.toString()).toBe("hard-link");
  });

  test("record the checksum over the digests of pieces of 1 MiB, holes as zeros", async () => {
    const source = await scratch.directory("source");
    const content = Buffer.alloc((2 << 20) + 100, "content");
    await writeFile(join(source, "dense"), content);
    await writeFile(join(source, "empty"), "");
    const sparse = await open(join(source, "sparse"), "w");
    await sparse.write(Buffer.from("middle"), 0, 6, (3 << 20) - 3);
    await sparse.truncate((6 << 20) + 1);
    await sparse.close();
    const { entries, target } = await take(scratch, source, { reflink: "never" });
    for (const name of ["dense", "empty", "sparse"]) {
      const bytes = await readFile(join(target, name));
      expect(entries.get(name)!.checksum, name).toBe(checksumOf(bytes));
    }
    expect((await readFile(join(target, "sparse"))).equals(await readFile(join(source, "sparse")))).toBe(true);
    expect((await lstat(join(target, "sparse"))).blocks).toBe((await lstat(join(source, "sparse"))).blocks);
  });

  test("runs of zeros that are data stay data", async () => {
    const source = await scratch.directory("source");
    await writeFile(join(source, "zeros"), Buffer.alloc(4 << 20));
    const { entries, target } = await take(scratch, source);
    expect(entries.get("zeros")!.sparse).toBeUndefined();
    expect((await lstat(join(target, "zeros"))).blocks * 512).toBeGreaterThanOrEqual(4 << 20);
  });

  test("keep file capabilities although the owner is set as well", async () => {
    const source = await scratch.directory("source");
    await writeFile(join(source, "ping"), "program");
    await chown(join(source, "ping"), 33, 33);
    // VFS_CAP_REVISION_2, effective, cap_net_raw permitted (capabilities(7)).
    await succeed("setfattr", [
      "-n",
      "security.capability",
      "-v",
      "0x0100000200200000000000000000000000000000",
      join(source, "ping"),
    ]);
    const { target } = await take(scratch, source);
    expect(await describeTree(target)).toEqual(await describeTree(source));
    expect((await describeTree(target)).get("ping [xattrs]")).toContain("security.capability");
  });

  test("inherit nothing from the place they are written to", async () => {
    const source = await scratch.directory("source");
    await mkdir(join(source, "sub"));
    await writeFile(join(source, "sub/file"), "x");
    const base = await scratch.directory("place");
    await succeed("setfacl", ["-d", "-m", "u:4711:rwx", base]);
    await chown(base, 0, 99);
    await chmod(base, 0o2777);
    const { target } = await take(scratch, source, { base });
    expect(await describeTree(target)).toEqual(await describeTree(source));
  });

  test("leave out sockets and say so", async () => {
    const source = await scratch.directory("source");
    await mkdir(join(source, "run"));
    const close = await makeSocket(join(source, "run/app.sock"));
    scratch.defer(close);
    const { result, target } = await take(scratch, source);
    expect(result.skipped).toEqual(["run/app.sock (socket)"]);
    expect(result.skippedCount).toBe(1);
    expect(await readdir(join(target, "run"))).toEqual([]);
  });

  test("reach the bottom of 2,000 directories whose path is longer than the kernel takes", async () => {
    const source = await scratch.directory("source");
    scratch.defer(() => emptyTree(source, testContext()));
    let fd = sys.openat(sys.AT_FDCWD, source, sys.O.RDONLY | sys.O.DIRECTORY);
    for (let depth = 0; depth < 2000; depth++) {
      sys.mkdirat(fd, "directory", 0o755);
      const next = sys.openat(fd, "directory", sys.O.RDONLY | sys.O.DIRECTORY);
      sys.close(fd);
      fd = next;
    }
    sys.close(sys.openat(fd, "bottom", sys.O.WRONLY | sys.O.CREAT, 0o600));
    sys.close(fd);
    const before = await openDescriptors();
    const { result, entries, target } = await take(scratch, source);
    scratch.defer(() => emptyTree(target, testContext()));
    expect(await openDescriptors()).toEqual(before);
    expect(result).toMatchObject({ directories: 2001, files: 1, onePointInTime: true });
    expect(entries.has(`${"directory/".repeat(2000)}bottom`)).toBe(true);
    expect((await succeed("find", [target, "-printf", "%d\n"])).split("\n").filter(Boolean)).toHaveLength(2002);
  });

  test("link what is linked in the source, links of links and of FIFOs too", async () => {
    const source = await scratch.directory("source");
    await mkdir(join(source, "a/b/c"), { recursive: true });
    await writeFile(join(source, "a/b/c/file"), "x");
    await link(join(source, "a/b/c/file"), join(source, "a/first"));
    await symlink("anywhere", join(source, "a/symlink"));
    await link(join(source, "a/symlink"), join(source, "a/b/symlink"));
    await succeed("mkfifo", [join(source, "fifo")]);
    await link(join(source, "fifo"), join(source, "a/fifo"));
    const { target, result } = await take(scratch, source);
    for (const [one, two] of [
      ["a/b/c/file", "a/first"],
      ["a/symlink", "a/b/symlink"],
      ["fifo", "a/fifo"],
    ] as const) {
      const [first, second] = [await lstat(join(target, one)), await lstat(join(target, two))];
      expect(first.ino, one).toBe(second.ino);
      expect(first.nlink, one).toBe(2);
    }
    expect(result).toMatchObject({ files: 1, bytes: 1 });
  });

  test("read a directory by its handle, and never through a link", async () => {
    const real = await scratch.directory("source");
    await writeFile(join(real, "file"), "x");
    const dir = await Dir.open(real);
    const { entries } = await take(scratch, dir.handlePath).finally(() => dir.close());
    expect([...entries.keys()]).toEqual(["", "file"]);
    const elsewhere = await scratch.directory("elsewhere");
    await symlink(real, join(elsewhere, "link"));
    const place = await makePlace(scratch);
    await expect(snapshotTree({ source: join(elsewhere, "link"), ...place }, testContext())).rejects.toThrow(/ENOTDIR/);
  });

  test("refuse a target that is not empty and touch nothing", async () => {
    const source = await scratch.directory("source");
    const place = await makePlace(scratch);
    await writeFile(join(place.target, "file"), "mine");
    await expect(snapshotTree({ source, ...place }, testContext())).rejects.toMatchObject({ code: "NOT_EMPTY" });
    expect(await readdir(place.target)).toEqual(["file"]);
    expect(await readdir(join(place.target, ".."))).toEqual(["tree"]);
  });

  test("stop soon after an abort and leave no manifest and no descriptor", async () => {
    const source = await scratch.directory("source");
    for (let index = 0; index < 64; index++) await writeFile(join(source, `file${index}`), Buffer.alloc(4 << 20, 7));
    const place = await makePlace(scratch);
    const before = await openDescriptors();
    const controller = new AbortController();
    const progress = ({ phase }: { phase: string }) => {
      if (phase === "copy") controller.abort();
    };
    const running = snapshotTree(
      { source, ...place, reflink: "never" },
      testContext({ signal: controller.signal, progress }),
    );
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await openDescriptors()).toEqual(before);
    expect(await readdir(join(place.target, ".."))).toEqual(["tree"]);
    expect((await readdir(place.target)).length).toBeLessThan(64);
  });

  test("tell when the snapshot began, by the file system's own clock", async () => {
    const source = await scratch.directory("source");
    await writeFile(join(source, "before"), "x");
    const place = await makePlace(scratch);
    await snapshotTree({ source, ...place }, testContext());
    await appendFile(join(source, "before"), "y");
    const header = JSON.parse((await readFile(place.manifest, "utf8")).split("\n")[0]!) as { startedNs: string };
    const startedNs = BigInt(header.startedNs);
    expect((await readEntries(place.manifest)).get("before")!.mtimeNs <= startedNs).toBe(true);
    expect((await lstat(join(source, "before"), { bigint: true })).mtimeNs >= startedNs).toBe(true);
  });

  test("R16: fail where the owner cannot be kept, naming file and owner", async () => {
    const source = await scratch.directory("source");
    await writeFile(join(source, "theirs"), "x");
    await chmod(source, 0o755);
    await chown(join(source, "theirs"), 4711, 4712);
    const place = await makePlace(scratch);
    await chmod(join(place.target, ".."), 0o777);
    await chown(place.target, 65534, 65534);
    await chown(source, 65534, 65534);
    const program = `
      const { snapshotTree } = await import(process.argv[1]);
      const context = { signal: new AbortController().signal, log: undefined, progress() {} };
      const [source, target, manifest] = process.argv.slice(2);
      const error = await snapshotTree({ source, target, manifest }, context).catch((thrown) => thrown);
      console.log(JSON.stringify({ code: error.code, message: error.message, hint: error.hint }));`;
    const module = new URL("./snapshot.ts", import.meta.url).href;
    const args = ["--reuid=65534", "--regid=65534", "--clear-groups", process.execPath, "--conditions=source"];
    const child = await run("setpriv", [
      ...args,
      "--input-type=module",
      "-e",
      program,
      module,
      source,
      place.target,
      place.manifest,
    ]);
    expect(JSON.parse(child.stdout)).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/'theirs' belongs to 4711:4712/),
      hint: expect.stringContaining("no_root_squash"),
    });
  });
});

function checksumOf(bytes: Buffer): string {
  const outer = createHash("sha256");
  for (let at = 0; at < bytes.length; at += 1 << 20) {
    outer.update(
      createHash("sha256")
        .update(bytes.subarray(at, at + (1 << 20)))
        .digest(),
    );
  }
  return outer.digest("hex");
}
