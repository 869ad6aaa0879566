import { appendFile, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { succeed } from "../../../../../test/lab/run.ts";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { type ManifestEntry, ManifestWriter, readManifest } from "./manifest.ts";
import { encodeEntry } from "./manifest-line.ts";

const scratch = scratchPerTest();

const ROOT: ManifestEntry = {
  path: Buffer.alloc(0),
  type: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtimeNs: 1_700_000_000_123_456_789n,
  size: 0,
};

function file(path: string, changes: Partial<ManifestEntry> = {}): ManifestEntry {
  return { ...ROOT, path: Buffer.from(path), type: "file", mode: 0o644, size: 5, ...changes };
}

async function write(entries: readonly ManifestEntry[], startedNs?: bigint): Promise<string> {
  const path = join(await scratch.directory("manifest"), "manifest");
  const writer = new ManifestWriter(path);
  writer.begin(startedNs === undefined ? {} : { startedNs });
  for (const entry of entries) writer.add(entry);
  writer.finish();
  return path;
}

async function read(path: string): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  for await (const entry of readManifest(path)) entries.push(entry);
  return entries;
}

/** A manifest with a right end and wrong lines in between: what somebody with write access could leave there. */
async function forge(...lines: (string | object)[]): Promise<string> {
  const { createHash } = await import("node:crypto");
  const header = { format: "convoy-tree-manifest", version: 1 };
  const texts = [header, JSON.parse(encodeEntry(ROOT)) as object, ...lines];
  const body = texts.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
  const sha256 = createHash("sha256").update(body).digest("hex");
  const path = join(await scratch.directory("forged"), "manifest");
  await writeFile(path, `${body}${JSON.stringify({ end: true, entries: texts.length - 1, bytes: 0, sha256 })}\n`);
  return path;
}

const PLAIN = JSON.parse(encodeEntry(file("plain", { size: 0 }))) as Record<string, unknown>;

describe("manifests of tree snapshots", () => {
  test("give back what was written, names of any bytes included", async () => {
    const entries: ManifestEntry[] = [
      ROOT,
      file("plain", { checksum: "a".repeat(64), source: { ino: 2n ** 63n, ctimeNs: -5n, nlink: 2 } }),
      file("link", { hardLinkTo: Buffer.from("plain") }),
      { ...ROOT, path: Buffer.from("größe"), xattrs: new Map([["user.x", Buffer.of(0, 255)]]) },
      file('größe/\ufeffbom \u2028 "quoted" \n line', { sparse: true, mode: 0o4755, uid: 4294967294 }),
      { ...ROOT, path: Buffer.concat([Buffer.from("größe/"), Buffer.of(0xff, 0xfe)]), type: "fifo", mtimeNs: -1n },
      { ...ROOT, path: Buffer.from("sym"), type: "symlink", target: Buffer.of(0x2f, 0xc3, 0x28) },
      { ...ROOT, path: Buffer.from("disk"), type: "block", device: { major: 259, minor: 1_000_000 } },
      { ...ROOT, path: Buffer.from("null"), type: "character", device: { major: 1, minor: 3 } },
    ];
    expect(await read(await write(entries))).toEqual(entries);
  });

  test("are readable: names that are UTF-8 stand in them as they are", async () => {
    expect(await readFile(await write([ROOT, file("größe.txt")]), "utf8")).toContain('"path":"größe.txt"');
  });

  test("are private, in place only when complete, and an abandoned one is gone", async () => {
    const path = await write([ROOT]);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const directory = await scratch.directory("manifest");
    const writer = new ManifestWriter(join(directory, "manifest"));
    writer.begin({});
    writer.add(ROOT);
    expect(await readdir(directory)).not.toContain("manifest");
    writer.abandon();
    expect(await readdir(directory)).toEqual([]);
  });

  test("tell their totals and the time they began", async () => {
    const path = await write([ROOT, file("a"), file("b", { size: 7 })], 123n);
    const reader = readManifest(path);
    let next = await reader.next();
    while (!next.done) next = await reader.next();
    expect(next.value).toEqual({ entries: 3, bytes: 12, startedNs: 123n });
  });

  test("of many entries are read in order", async () => {
    const entries = [ROOT, ...Array.from({ length: 20_000 }, (_, index) => file(`file ${index}`))];
    expect((await read(await write(entries))).map((entry) => entry.path.toString())).toEqual(
      entries.map((entry) => entry.path.toString()),
    );
  });

  test("any path of any bytes survives", async () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 40 })
      .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))))
      .filter((bytes) => bytes.toString("latin1") !== "." && bytes.toString("latin1") !== "..");
    await fc.assert(
      fc.asyncProperty(name, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), async (path, mtimeNs) => {
        const entry = file("", { path, mtimeNs });
        expect(await read(await write([ROOT, entry]))).toEqual([ROOT, entry]);
      }),
      { numRuns: 50 },
    );
  });
});

describe("R31, R32: a manifest that is damaged or forged is refused", () => {
  test("truncated anywhere", async () => {
    const path = await write([ROOT, file("a"), file("b")]);
    const { size } = await stat(path);
    for (let length = size - 1; length >= 0; length -= 7) {
      await truncate(path, length);
      await expect(read(path), `${length} bytes`).rejects.toMatchObject({
        code: "FORGED",
        message: expect.stringMatching(/manifest .* is damaged/),
      });
    }
  });

  test("with one byte changed", async () => {
    const path = await write([ROOT, file("victim")]);
    await writeFile(path, (await readFile(path, "utf8")).replace("victim", "victor"));
    await expect(read(path)).rejects.toMatchObject({ code: "FORGED", message: expect.stringContaining("checksum") });
  });

  test("with something behind its end", async () => {
    const path = await write([ROOT]);
    await appendFile(path, `${JSON.stringify(PLAIN)}\n`);
    await expect(read(path)).rejects.toThrow("something follows its end");
  });

  test("absent, a link, a FIFO or a directory, without waiting", async () => {
    const directory = await scratch.directory("odd");
    await symlink(await write([ROOT]), join(directory, "link"));
    await succeed("mkfifo", [join(directory, "fifo")]);
    await mkdir(join(directory, "directory"));
    await expect(read(join(directory, "absent"))).rejects.toMatchObject({ code: "FORGED" });
    await expect(read(join(directory, "link"))).rejects.toThrow("it is a link");
    await expect(read(join(directory, "fifo"))).rejects.toThrow("not a regular file");
    await expect(read(join(directory, "directory"))).rejects.toThrow("not a regular file");
  });

  test("of a newer version: a different error", async () => {
    const path = await write([ROOT]);
    await writeFile(path, (await readFile(path, "utf8")).replace('"version":1', '"version":2'));
    await expect(read(path)).rejects.toMatchObject({ code: "UNSUPPORTED", hint: expect.stringContaining("newer") });
  });

  test("the forgery below would pass if its line were right", async () => {
    expect((await read(await forge(PLAIN))).map((entry) => entry.path.toString())).toEqual(["", "plain"]);
  });

  test.each([
    ["a path that leaves the tree", { path: "../evil" }],
    ["a path that leaves the tree further in", { path: "a/../../evil" }],
    ["an absolute path", { path: "/etc/passwd" }],
    ["an absolute path as base64", { path: undefined, path64: Buffer.from("/etc/\xff").toString("base64") }],
    ["a path with NUL", { path: "a\0b" }],
    ["a path with an empty part", { path: "a//b" }],
    ["a path with a dot part", { path: "./a" }],
    ["a path twice", { path64: "YQ==" }],
    ["a second root", { path: "", type: "directory" }],
    ["a path without its directory", { path: "nowhere/file" }],
    ["no path", { path: undefined }],
    ["a wrong path type", { path: 5 }],
    ["broken base64", { path: undefined, path64: "%%%" }],
    ["an unknown type", { type: "socket" }],
    ["a mode beyond permissions", { mode: "100644" }],
    ["a negative owner", { uid: -1 }],
    ["an owner that is no number", { gid: "0" }],
    ["a fraction as size", { size: 1.5 }],
    ["a size beyond exact numbers", { size: 2 ** 53 }],
    ["a size on a FIFO", { type: "fifo", size: 1 }],
    ["a time that is no number", { mtimeNs: "now" }],
    ["a hard link to what does not come before", { hardLinkTo: "later" }],
    ["a hard link that leaves the tree", { hardLinkTo: "../../etc/shadow" }],
    ["a target on a file", { target: "x" }],
    ["a symbolic link without target", { type: "symlink" }],
    ["a device without numbers", { type: "block" }],
    ["a device with wrong numbers", { type: "character", device: [1, -3] }],
    ["a device on a file", { device: [1, 3] }],
    ["attributes that are no list", { xattrs: { "user.x": "eQ==" } }],
    ["an attribute with a wrong value", { xattrs: [["user.x", "!"]] }],
    ["an attribute without name", { xattrs: [["", "eQ=="]] }],
    ["a checksum that is none", { checksum: "../../x" }],
    ["a wrong sparse", { sparse: "yes" }],
    ["a wrong source", { source: { ino: "1", ctimeNs: "2", nlink: -1 } }],
  ])("with %s", async (_, changes) => {
    await expect(read(await forge({ ...PLAIN, ...changes }))).rejects.toMatchObject({ code: "FORGED" });
  });

  test.each(["not json", "[]", "null", "5", '{"path":"a"'])("with the line %s", async (line) => {
    await expect(read(await forge(line))).rejects.toMatchObject({ code: "FORGED" });
  });

  test("with a line that never ends", async () => {
    const path = await forge(`{"path":"${"x".repeat(17 << 20)}"}`);
    await expect(read(path)).rejects.toThrow("a line has more than");
  });
});
