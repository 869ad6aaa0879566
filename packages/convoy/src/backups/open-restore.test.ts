import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { link, lstat, mkdir, mkdtemp, open, readFile, readlink, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Progress } from "../host/operation.ts";
import { snapshotTree } from "../host/tree/snapshot.ts";
import { parseBackupUrl } from "../stores/url.ts";
import { backUp, contextOf, FIXTURES, Place, subjectOf } from "./engine.fixture.ts";
import type { BackupEngine } from "./engine.ts";
import type { TreeSource } from "./source.ts";

interface FixtureEntry {
  path: string;
  type: "dir" | "file" | "symlink" | "fifo";
  mode?: string;
  uid: number;
  gid: number;
  mtime: number;
  size?: number;
  sha256?: string;
  nlink?: number;
  target?: string;
}

let place: Place;
let engine: BackupEngine;
beforeEach(async () => {
  place = await Place.make();
  engine = place.engine();
});
afterEach(() => place.end());

/** Restores a backup into a new directory. */
async function restore(url: string, by = engine): Promise<string> {
  const directory = await mkdtemp(join(place.path, "restored-"));
  const opened = await by.openRestore({ url, endpoint: "" }, contextOf());
  try {
    await opened.fill({ kind: "tree", directory, reserveBytes: 0 }, contextOf());
  } finally {
    await opened.close();
  }
  return directory;
}

const archivePath = (url: string) => {
  const { backup, volume } = parseBackupUrl(url);
  return join(place.path, `store/convoy-objectstore/volumes/vo/l1/${volume}/BackupFiles/${backup}.bak`);
};

describe("backups of v0.5.2 come back bit for bit", async () => {
  const manifest = JSON.parse(await readFile(join(FIXTURES, "manifest.json"), "utf8"));
  const backups: { backup: string; entries: FixtureEntry[] }[] = manifest.stores.vfs.backups;

  test.each(backups)("$backup", async ({ backup, entries }) => {
    await place.end();
    place = await Place.ofOriginal();
    const directory = await restore(`${place.url}?backup=${backup}&volume=files`, place.engine());
    expect(entries.length).toBeGreaterThan(10);
    for (const entry of entries) {
      const path = join(directory, entry.path);
      const stats = await lstat(path);
      expect([entry.path, stats.uid, stats.gid]).toEqual([entry.path, entry.uid, entry.gid]);
      expect([entry.path, Math.floor(stats.mtimeMs / 1000)]).toEqual([entry.path, entry.mtime]);
      if (entry.mode !== undefined) expect(stats.mode & 0o7777).toBe(Number.parseInt(entry.mode, 8));
      if (entry.type === "file") {
        const content = await readFile(path);
        expect(createHash("sha256").update(content).digest("hex")).toBe(entry.sha256);
        expect(stats.nlink).toBe(entry.nlink ?? 1);
      } else if (entry.type === "symlink") expect(await readlink(path)).toBe(entry.target);
      else expect(entry.type === "dir" ? stats.isDirectory() : stats.isFIFO()).toBe(true);
    }
    const found = execFileSync("find", [directory, "-printf", "x"]).length;
    expect(found).toBe(entries.length);
  });
});

describe("a backup of a tree", () => {
  async function makeSource(): Promise<{ original: string; source: TreeSource }> {
    const original = join(place.path, "volume");
    await mkdir(join(original, "sub/dir"), { recursive: true });
    await writeFile(join(original, "sub/text"), "hello\n".repeat(500_000));
    await writeFile(join(original, "sub/set-uid"), "x", { mode: 0o4755 });
    await link(join(original, "sub/text"), join(original, "sub/dir/again"));
    await symlink("../text", join(original, "sub/dir/link"));
    const sparse = await open(join(original, "sparse"), "w");
    await sparse.write("end", 40 * 1024 * 1024);
    await sparse.close();
    execFileSync("mkfifo", [join(original, "pipe")]);
    await mkdir(join(place.path, "snapshot/tree"), { recursive: true, mode: 0o700 });
    const directory = join(place.path, "snapshot/tree");
    const manifest = join(place.path, "snapshot/manifest");
    await snapshotTree({ source: original, target: directory, manifest }, contextOf());
    return { original, source: { kind: "tree", directory, manifest, close: async () => undefined } };
  }

  const create = (source: TreeSource) =>
    engine.create({ url: place.url, endpoint: "", initStore: false, subject: subjectOf(), source }, contextOf());

  const described = (directory: string) =>
    execFileSync("find", [".", "-printf", "%P %y %m %U:%G %s %T@ %n %l\\n"], { cwd: directory, encoding: "utf8" })
      .split("\n")
      .sort();

  test("comes back as it was, and by the tar of the original too", async () => {
    const { original, source } = await makeSource();
    const { url } = await create(source);
    expect(await engine.inspect({ url, endpoint: "" }, contextOf())).not.toHaveProperty("problem");
    const directory = await restore(url);
    execFileSync("diff", ["-r", "--no-dereference", "--exclude=pipe", original, directory]);
    expect(described(directory)).toEqual(described(original));
    const byTar = await mkdtemp(join(place.path, "tar-"));
    execFileSync("tar", ["xf", archivePath(url), "-C", byTar]);
    execFileSync("diff", ["-r", "--no-dereference", "--exclude=pipe", original, byTar]);
  });

  test("tells how much there is to do", async () => {
    const { source } = await makeSource();
    const seen: Progress[] = [];
    await engine.create(
      { url: place.url, endpoint: "", initStore: false, subject: subjectOf(), source },
      contextOf(undefined, seen),
    );
    expect(seen.findLast(({ bytesTotal }) => bytesTotal !== undefined)).toMatchObject({
      // The text of 3,000,000 bytes, the byte of the set-uid file, and the sparse file of 40 MiB and its end.
      bytesTotal: 3_000_000 + 1 + 40 * 1024 * 1024 + 3,
      bytesDone: expect.any(Number),
    });
  });

  test("R16: fails, naming the file, when the snapshot is not what it was, and leaves nothing", async () => {
    const { source } = await makeSource();
    await writeFile(join(source.directory, "sub/text"), "HELLO\n".repeat(500_000));
    await expect(create(source)).rejects.toMatchObject({ message: expect.stringContaining("sub/text") });
    expect(await place.keys()).toEqual([]);
  });

  test("R26: a store inside the snapshot is refused", async () => {
    const { source } = await makeSource();
    await mkdir(join(source.directory, "sub/store"));
    const url = `vfs://${source.directory}/sub/store`;
    await expect(
      engine.create({ url, endpoint: "", initStore: false, subject: subjectOf(), source }, contextOf()),
    ).rejects.toMatchObject({ code: "INVALID_URL" });
  });
});

describe("a restore is refused, and says why, of an archive that is", () => {
  test("truncated", async () => {
    const { url } = await backUp(place, engine, { content: "x".repeat(100_000) });
    await truncate(archivePath(url), 100);
    await expect(restore(url)).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
  });

  test("another one of the same size (checksum)", async () => {
    const { url } = await backUp(place, engine, { content: "first" });
    const archive = await readFile(archivePath(url));
    // A byte of the time in gzip's header: no checksum of gzip's covers it.
    archive[4]! ^= 1;
    await writeFile(archivePath(url), archive);
    await expect(restore(url)).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
  });

  test("gone since the restore was opened", async () => {
    const { url } = await backUp(place, engine);
    const opened = await engine.openRestore({ url, endpoint: "" }, contextOf());
    await engine.delete({ url, endpoint: "" }, contextOf());
    const target = { kind: "tree" as const, directory: await mkdtemp(join(place.path, "r-")), reserveBytes: 0 };
    await expect(opened.fill(target, contextOf())).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
    await opened.close();
  });
});

test("a cancelled restore ends with CANCELLED", async () => {
  const { url } = await backUp(place, engine);
  const opened = await engine.openRestore({ url, endpoint: "" }, contextOf());
  const target = { kind: "tree" as const, directory: await mkdtemp(join(place.path, "r-")), reserveBytes: 0 };
  await expect(opened.fill(target, contextOf(AbortSignal.abort()))).rejects.toMatchObject({ code: "CANCELLED" });
  await opened.close();
});
