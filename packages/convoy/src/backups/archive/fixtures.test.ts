import { createHash } from "node:crypto";
import fs from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { scratchPerTest } from "../../../../../test/lab/scratch.ts";
import { cannotTest, context, run } from "./archive.fixture.ts";
import { extractArchive } from "./index.ts";

const FIXTURES = new URL("../../../../../test/fixtures/convoy-v0.5-backups/", import.meta.url).pathname;

interface FixtureEntry {
  path: string;
  type: "dir" | "file" | "symlink" | "fifo";
  mode?: string;
  uid: number;
  gid: number;
  mtime: number;
  size?: number;
  sha256?: string;
  target?: string;
}
interface FixtureBackup {
  key: string;
  archive: string;
  archiveSize: number;
  archiveSha256: string;
  members: number;
  deleted: boolean;
  entries: FixtureEntry[];
  hardlinks: string[][];
}

const manifest = JSON.parse(fs.readFileSync(join(FIXTURES, "manifest.json"), "utf8"));
const backups: FixtureBackup[] = manifest.stores.vfs.backups.filter(({ deleted }: FixtureBackup) => !deleted);

const scratch = scratchPerTest();
let directory: string;

beforeEach(async () => {
  directory = await scratch.directory("restored");
});

function found({ path, type }: FixtureEntry): FixtureEntry {
  const at = join(directory, path);
  const stat = fs.lstatSync(at);
  const kinds = { dir: stat.isDirectory(), file: stat.isFile(), symlink: stat.isSymbolicLink(), fifo: stat.isFIFO() };
  expect(kinds[type], `${path} is a ${type}`).toBe(true);
  return {
    path,
    type,
    uid: stat.uid,
    gid: stat.gid,
    mtime: Math.floor(stat.mtimeMs / 1000),
    ...(type !== "symlink" && { mode: (stat.mode & 0o7777).toString(8).padStart(4, "0") }),
    ...(type === "symlink" && { target: fs.readlinkSync(at) }),
    ...(type === "file" && {
      size: stat.size,
      sha256: createHash("sha256").update(fs.readFileSync(at)).digest("hex"),
    }),
  };
}

describe.skipIf(cannotTest)("archives of Convoy v0.5.2", () => {
  test.each(backups)("the archive of backup $key, written by Convoy v0.5.2, restores bit for bit", async (backup) => {
    const extracted = await extractArchive(
      {
        body: fs.createReadStream(join(FIXTURES, "vfs", backup.archive)),
        target: { kind: "tree", directory, reserveBytes: 0 },
        expect: { size: backup.archiveSize, sha256: backup.archiveSha256 },
      },
      context(),
    );
    expect(extracted.entries).toBe(backup.members);
    const expected = backup.entries.map(({ path, type, mode, uid, gid, mtime, size, sha256, target }) => ({
      path,
      type,
      uid,
      gid,
      mtime,
      ...(mode !== undefined && { mode }),
      ...(target !== undefined && { target }),
      ...(size !== undefined && { size, sha256 }),
    }));
    expect(backup.entries.map(found)).toEqual(expected);
    expect(run("find", directory, "-printf", "x").length).toBe(backup.entries.length);
    for (const group of backup.hardlinks) {
      expect(new Set(group.map((path) => fs.statSync(join(directory, path)).ino)).size).toBe(1);
    }
  });
});
