import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { beforeEach, describe, expect, test } from "vitest";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { describeTree, fillRichTree } from "../../../../../test/lab/tree.ts";
import { cannotTest, collect, context, entriesOf, makeSparse, run, snapshotOf, stream } from "./archive.fixture.ts";
import { extractArchive, writeArchive } from "./index.ts";

const scratch = scratchPerTest();
let place: string;

beforeEach(async () => {
  place = await scratch.directory("archive");
});

/** A tree with everything that a volume may hold, and with what is hard for an archive. */
async function makeTree(root: string): Promise<void> {
  await fillRichTree(root);
  const at = (name: string) => join(root, name);
  fs.writeFileSync(at("exactly"), randomBytes(1 << 20));
  fs.writeFileSync(at("big"), Buffer.concat([randomBytes(3_500_001), Buffer.alloc(2_000_000), Buffer.from("end")]));
  fs.mkdirSync(at("long".repeat(50)));
  fs.writeFileSync(at(`${"long".repeat(50)}/${"name".repeat(60)}`), "long names");
  fs.symlinkSync(`/nowhere/${"far".repeat(100)}`, at("far"));
  fs.linkSync(at("far"), at("far-again"));
  run("mknod", "-m", "0660", at("disk"), "b", "259", "70000");
  fs.writeFileSync(at("high-owner"), "x");
  fs.chownSync(at("high-owner"), 3_000_000_000, 2_097_152);
  fs.chmodSync(at("high-owner"), 0o6755);
  fs.writeFileSync(at("etc/deep/inherits"), "default ACL of its directory");
  fs.writeFileSync(at("attributes"), "x");
  run("setfattr", "-n", "user.a=b%3D", "-v", "odd name", at("attributes"));
  run("setfattr", "-n", "user.lines", "-v", "0x0a000a3d", at("attributes"));
  run("setfattr", "-n", "user.empty", at("attributes"));
  run("setfattr", "-n", "security.capability", "-v", "0x0100000200200000000000000000000000000000", at("attributes"));
  makeSparse(at("sparse"), 30_000_000, 20_000_123, randomBytes(300_000));
  makeSparse(at("sparse-odd"), 5_000_321, 5_000_000, Buffer.from("t".repeat(321)));
  fs.closeSync(fs.openSync(at("hole"), "w"));
  fs.truncateSync(at("hole"), 7_654_321);
  run("touch", "-h", "-d", "2001-02-03 04:05:06.123456789 UTC", at("far"), at("fifo"), at("etc/deep"));
  run("touch", "-d", "2250-01-01 UTC", at("exactly"));
  run("touch", "-d", "2002-02-02 02:02:02.000000002 UTC", root);
  fs.chmodSync(root, 0o751);
}

/** How many of the process's open files lie in the test's own directory. */
function openHandles(): number {
  const links = fs.readdirSync("/proc/self/fd").map((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.startsWith(place)).length;
}

async function archived(source: { directory: string; manifest: string }) {
  const archive = writeArchive({ source }, context());
  const bytes = await collect(archive.body);
  const file = join(place, "archive.tar.gz");
  fs.writeFileSync(file, bytes);
  return { bytes, file, summary: archive.summary! };
}

function emptyDirectory(name: string): string {
  const directory = join(place, name);
  fs.mkdirSync(directory, { mode: 0o700 });
  return directory;
}

describe.skipIf(cannotTest)("archives of snapshots", () => {
  test("an archive gives back everything that a tree holds", async () => {
    const source = emptyDirectory("source");
    await makeTree(source);
    const snapshot = await snapshotOf(source, place);
    const { bytes, summary } = await archived(snapshot);
    expect(summary.size).toBe(bytes.length);

    const directory = emptyDirectory("restored");
    const expected = { size: summary.size, sha256: summary.sha256 };
    const extracted = await extractArchive(
      { body: stream(bytes), target: { kind: "tree", directory, reserveBytes: 0 }, expect: expected },
      context(),
    );

    expect(await describeTree(directory)).toEqual(await describeTree(source));
    expect(fs.lstatSync(join(directory, "far")).ino).toBe(fs.lstatSync(join(directory, "far-again")).ino);
    expect(extracted).toEqual({ ...summary, bytes: summary.dataBytes, dataBytes: undefined });
    for (const name of ["sparse", "sparse-odd", "hole"]) {
      expect(fs.statSync(join(directory, name)).blocks).toBeLessThanOrEqual(fs.statSync(join(source, name)).blocks);
    }
  });

  describe("GNU tar, which Convoy v0.5.2 restores with,", () => {
    test("makes the same tree of it, with xattrs and ACLs", async () => {
      const source = emptyDirectory("source");
      await makeTree(source);
      const { file } = await archived(await snapshotOf(source, place));
      const restored = emptyDirectory("restored");
      const warnings = run("tar", "--xattrs", "--xattrs-include=*", "--acls", "-xpf", file, "-C", restored);
      expect(warnings).toBe("");
      expect(await describeTree(restored)).toEqual(await describeTree(source));
    });

    test("makes the same tree of it with plain `tar xf`, but for xattrs and ACLs", async () => {
      const source = emptyDirectory("source");
      await makeTree(source);
      const { file } = await archived(await snapshotOf(source, place));
      const restored = emptyDirectory("restored");
      run("tar", "xf", file, "-C", restored);
      const plain = { noXattrs: true };
      expect(await describeTree(restored, plain)).toEqual(await describeTree(source, plain));
    });

    test("lists members as Convoy v0.5.2 wrote them: ./ first", async () => {
      const source = emptyDirectory("source");
      fs.mkdirSync(join(source, "docs"));
      fs.writeFileSync(join(source, "docs/a"), "x");
      const { file } = await archived(await snapshotOf(source, place));
      expect(run("tar", "tf", file).split("\n")).toEqual(["./", "./docs/", "./docs/a", ""]);
    });
  });

  test("random data is stored as it is, zeros and text nearly vanish", async () => {
    const source = emptyDirectory("source");
    fs.writeFileSync(join(source, "random"), randomBytes(4 << 20));
    fs.writeFileSync(join(source, "zeros"), Buffer.alloc(64 << 20));
    fs.writeFileSync(join(source, "text"), "the quick brown fox jumps over the lazy dog\n".repeat(100_000));
    const { bytes } = await archived(await snapshotOf(source, place));
    expect(bytes.length).toBeGreaterThan(4 << 20);
    expect(bytes.length).toBeLessThan(4.3 * (1 << 20));
    expect(gunzipSync(bytes).length).toBeGreaterThan(72 << 20);
  });

  test("paths longer than the kernel takes are archived and restored", async () => {
    // Node's own removal cannot name such paths.
    scratch.defer(() => run("rm", "-rf", ...fs.readdirSync(place).map((name) => join(place, name))));
    const source = emptyDirectory("source");
    let deep = source;
    let handle = fs.openSync(source, "r");
    for (let level = 0; level < 300; level++) {
      deep = `/proc/self/fd/${handle}/${"directory".repeat(5)}`;
      fs.mkdirSync(deep);
      const next = fs.openSync(deep, "r");
      fs.closeSync(handle);
      handle = next;
    }
    fs.writeFileSync(`/proc/self/fd/${handle}/file`, "at the bottom");
    fs.closeSync(handle);
    const { bytes } = await archived(await snapshotOf(source, place));
    const directory = emptyDirectory("restored");
    await extractArchive({ body: stream(bytes), target: { kind: "tree", directory, reserveBytes: 0 } }, context());
    expect(run("sh", "-c", `find ${directory} | wc -l`).trim()).toBe("302");
    expect(run("find", directory, "-name", "file", "-execdir", "cat", "{}", ";")).toBe("at the bottom");
  });

  describe("R16: a snapshot that is not what its manifest says is not backed up", () => {
    async function changed(change: (directory: string) => void): Promise<unknown> {
      const source = emptyDirectory("source");
      fs.writeFileSync(join(source, "a"), "a".repeat(100));
      fs.writeFileSync(join(source, "precious"), "b".repeat(2_000_000));
      const snapshot = await snapshotOf(source, place);
      change(snapshot.directory);
      const changedFile = join(snapshot.directory, "precious");
      if (fs.lstatSync(changedFile, { throwIfNoEntry: false }))
        run("touch", "-h", "-r", join(source, "precious"), changedFile);
      return archived(snapshot).catch((error: unknown) => error);
    }
    const named = { code: "BACKUP_DAMAGED", message: expect.stringContaining('"precious"') };

    test("content changed, same size and time", async () => {
      const error = await changed((directory) => {
        const fd = fs.openSync(join(directory, "precious"), "r+");
        fs.writeSync(fd, "X", 1_999_999);
        fs.closeSync(fd);
      });
      expect(error).toMatchObject(named);
    });

    test("another size", async () => {
      expect(await changed((directory) => fs.appendFileSync(join(directory, "precious"), "x"))).toMatchObject(named);
    });

    test("another time", async () => {
      const source = emptyDirectory("source");
      fs.writeFileSync(join(source, "precious"), "x");
      const snapshot = await snapshotOf(source, place);
      fs.utimesSync(join(snapshot.directory, "precious"), 1, 1);
      await expect(archived(snapshot)).rejects.toMatchObject(named);
    });

    test("gone", async () => {
      expect(await changed((directory) => fs.rmSync(join(directory, "precious")))).toMatchObject(named);
    });

    test("replaced by a link", async () => {
      const error = await changed((directory) => {
        fs.renameSync(join(directory, "precious"), join(place, "elsewhere"));
        fs.symlinkSync(join(place, "elsewhere"), join(directory, "precious"));
      });
      expect(error).toMatchObject(named);
    });

    test("replaced by a FIFO, which nobody will ever write to", async () => {
      const error = await changed((directory) => {
        fs.rmSync(join(directory, "precious"));
        run("mkfifo", join(directory, "precious"));
      });
      expect(error).toMatchObject(named);
    });
  });

  test("checksums that the manifest lacks are told, so that it can be completed", async () => {
    const source = emptyDirectory("source");
    fs.writeFileSync(join(source, "a"), randomBytes(2_500_000));
    makeSparse(join(source, "b"), 10_000_000, 8_000_000, Buffer.from("data"));
    const snapshot = await snapshotOf(source, place);
    const entries = await entriesOf(snapshot.manifest);
    const told = new Map<string, string>();
    const without = entries.map(({ checksum: _, ...entry }) => entry);
    const archive = writeArchive(
      {
        source: snapshot,
        entries: stream(...without),
        onChecksum: (entry, checksum) => told.set(entry.path.toString(), checksum),
      },
      context(),
    );
    await collect(archive.body);
    const known = entries.filter(({ type }) => type === "file");
    expect(told).toEqual(new Map(known.map(({ path, checksum }) => [path.toString(), checksum])));
    expect(told.size).toBe(2);
  });

  test("an aborted archive ends with CANCELLED and gives everything back", async () => {
    const source = emptyDirectory("source");
    for (let i = 0; i < 30; i++) fs.writeFileSync(join(source, `${i}`), randomBytes(1 << 20));
    const snapshot = await snapshotOf(source, place);
    const abort = new AbortController();
    const archive = writeArchive({ source: snapshot }, context(abort.signal));
    const reading = (async () => {
      for await (const _ of archive.body) abort.abort();
    })();
    await expect(reading).rejects.toMatchObject({ code: "CANCELLED" });
    expect(archive.summary).toBeUndefined();
    expect(openHandles()).toBe(0);
  });

  test("a restore that is aborted ends with CANCELLED and gives everything back", async () => {
    const source = emptyDirectory("source");
    for (let i = 0; i < 30; i++) fs.writeFileSync(join(source, `${i}`), randomBytes(1 << 20));
    const { bytes } = await archived(await snapshotOf(source, place));
    const directory = emptyDirectory("restored");
    const abort = new AbortController();
    let closed = false;
    const body = (async function* () {
      try {
        for (let at = 0; ; at += 1 << 20) {
          if (at > 10 << 20) abort.abort();
          yield bytes.subarray(at, at + (1 << 20));
        }
      } finally {
        closed = true;
      }
    })();
    const target = { kind: "tree" as const, directory, reserveBytes: 0 };
    await expect(extractArchive({ body, target }, context(abort.signal))).rejects.toMatchObject({ code: "CANCELLED" });
    expect(closed).toBe(true);
    expect(openHandles()).toBe(0);
  });
});
