import { execFileSync } from "node:child_process";
import { mkdir, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { contextOf, Place } from "./engine.fixture.ts";
import type { BackupEngine } from "./engine.ts";

/** What somebody who can write to a store may put there, and what `backup delete` of v0.5.2 fell for (R31, R32). */
const DIRECTORY = "convoy-objectstore/volumes/vi/ct/victim";
const BACKUP = "backup-0123456789abcdef";
const ARCHIVE = `${DIRECTORY}/BackupFiles/${BACKUP}.bak`;
const CFG = `${DIRECTORY}/backups/backup_${BACKUP}.cfg`;

const volumeCfg = { Name: "victim", Driver: "vfs", Size: 0, CreatedTime: "t", LastBackupName: "" };
const honest = {
  Name: BACKUP,
  Driver: "",
  VolumeName: "victim",
  SnapshotName: "snap1",
  SnapshotCreatedAt: "t",
  CreatedTime: "t",
  SingleFile: { FilePath: ARCHIVE },
};
const block = { Offset: 0, BlockChecksum: "a".repeat(64) };

let place: Place;
let engine: BackupEngine;
let url: string;
beforeEach(async () => {
  place = await Place.make();
  engine = place.engine();
  url = `${place.url}?backup=${BACKUP}&volume=victim`;
  await place.plant(ARCHIVE, "archive");
  await place.plant(`${DIRECTORY}/volume.cfg`, JSON.stringify(volumeCfg));
});
afterEach(() => place.end());

/** Nobody reads, restores or deletes the backup, it is listed with a reason, and everything is still there after. */
async function expectRefused(codes = ["FORGED", "BACKUP_DAMAGED"]): Promise<void> {
  const before = await place.keys();
  const calls = [
    () => engine.inspect({ url, endpoint: "" }, contextOf()),
    () => engine.delete({ url, endpoint: "" }, contextOf()),
    () => engine.openRestore({ url, endpoint: "" }, contextOf()),
  ];
  for (const call of calls) {
    const error: unknown = await call().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(codes).toContain((error as { code?: string } | undefined)?.code);
    expect(String(error)).toContain("victim");
  }
  const listed = await engine.list({ url: place.url, endpoint: "", volume: "", snapshot: "" }, contextOf());
  expect(listed).toEqual([expect.objectContaining({ name: BACKUP, problem: expect.stringContaining("victim") })]);
  expect(await place.keys()).toEqual(before);
}

test("the honest cfg is accepted", async () => {
  await place.plant(CFG, JSON.stringify(honest));
  expect(await engine.inspect({ url, endpoint: "" }, contextOf())).not.toHaveProperty("problem");
});

describe("R31: a cfg is refused for reading and deleting whose", () => {
  test.each([
    ["FilePath leaves the store", { SingleFile: { FilePath: "../../../../etc/passwd" } }],
    ["FilePath is absolute", { SingleFile: { FilePath: "/etc/passwd" } }],
    ["FilePath is the whole store", { SingleFile: { FilePath: "convoy-objectstore" } }],
    ["FilePath goes a way round", { SingleFile: { FilePath: ARCHIVE.replace("victim/", "victim/../victim/") } }],
    ["FilePath is another backup's", { SingleFile: { FilePath: ARCHIVE.replace("0123", "3210") } }],
    ["FilePath is another volume's", { SingleFile: { FilePath: ARCHIVE.replaceAll("victim", "vicinity") } }],
    ["FilePath is empty", { SingleFile: { FilePath: "" } }],
    ["FilePath is a number", { SingleFile: { FilePath: 7 } }],
    ["FilePath stands twice in two letter cases", { SingleFile: { FilePath: ARCHIVE, filepath: "/etc/passwd" } }],
    ["SingleFile stands twice in two letter cases", { singlefile: { FilePath: "/etc/passwd" } }],
    ["SingleFile is a list", { SingleFile: [ARCHIVE] }],
    ["SingleFile is missing", { SingleFile: undefined }],
    ["Name is another's", { Name: "backup-ffffffffffffffff" }],
    ["Name is missing", { Name: undefined }],
    ["VolumeName is another's", { VolumeName: "vol1" }],
    ["VolumeName is a path", { VolumeName: "../victim" }],
    ["archive comes with blocks", { Blocks: [block] }],
    ["archive is replaced by blocks", { SingleFile: { FilePath: "" }, Blocks: [block] }],
    ["SnapshotName is no text", { SnapshotName: {} }],
    ["VolumeSize is negative", { VolumeSize: -1 }],
    ["VolumeSize is beyond exact numbers", { VolumeSize: 2 ** 60 }],
    ["ArchiveSize is a fraction", { ArchiveSize: 1.5 }],
    ["ArchiveSHA256 is a path", { ArchiveSHA256: "../../x" }],
    ["VolumeID is a path", { VolumeID: "../../x" }],
  ])("%s", async (_, change) => {
    await place.plant(CFG, JSON.stringify({ ...honest, ...change }));
    await expectRefused();
  });

  test.each([
    ["not JSON", "{"],
    ["empty", ""],
    ["a list", "[]"],
    ["null", "null"],
  ])("content is %s", async (_, content) => {
    await place.plant(CFG, content);
    await expectRefused();
  });

  test.each([
    ["checksum is a path", [{ Offset: 0, BlockChecksum: "../../../../../etc/passwd" }]],
    ["checksum is missing", [{ Offset: 0 }]],
    ["offset is off the grid", [{ ...block, Offset: 5 }]],
    ["offset is negative", [{ ...block, Offset: -2097152 }]],
    ["offset stands twice", [block, block]],
    ["blocks are out of order", [{ ...block, Offset: 2097152 }, block]],
  ])("%s in a volume of blocks", async (_, Blocks) => {
    await place.plant(`${DIRECTORY}/volume.cfg`, JSON.stringify({ ...volumeCfg, Driver: "devicemapper" }));
    await place.plant(CFG, JSON.stringify({ ...honest, Blocks, SingleFile: { FilePath: "" } }));
    await expectRefused();
  });
});

describe("R31: a volume.cfg is refused", () => {
  test.each([
    ["of another volume", { Name: "../../x" }],
    ["of no volume", { Name: undefined }],
    ["whose driver has no archives", { Driver: "devicemapper" }],
    ["whose driver is missing", { Driver: undefined }],
    ["whose size is a text", { Size: "0" }],
  ])("%s", async (_, change) => {
    await place.plant(CFG, JSON.stringify(honest));
    await place.plant(`${DIRECTORY}/volume.cfg`, JSON.stringify({ ...volumeCfg, ...change }));
    await expectRefused();
  });
});

describe("R32: nothing but a regular file is read, and nothing hangs, for a", () => {
  test("FIFO in place of a cfg", async () => {
    await mkdir(join(place.path, "store", DIRECTORY, "backups"));
    execFileSync("mkfifo", [join(place.path, "store", CFG)]);
    const call = engine.inspect({ url, endpoint: "" }, contextOf());
    await expect(call).rejects.toMatchObject({ code: "FORGED" });
    await expect(engine.delete({ url, endpoint: "" }, contextOf())).rejects.toMatchObject({ code: "FORGED" });
    const listed = await engine.list({ url: place.url, endpoint: "", volume: "", snapshot: "" }, contextOf());
    expect(listed.filter(({ problem }) => problem === undefined)).toEqual([]);
  });

  test("FIFO in place of volume.cfg, which hides no other volume", async () => {
    await place.plant(CFG, JSON.stringify(honest));
    await place.plant(
      "convoy-objectstore/volumes/ot/he/other/volume.cfg",
      JSON.stringify({ ...volumeCfg, Name: "other" }),
    );
    const other = {
      ...honest,
      VolumeName: "other",
      SingleFile: { FilePath: ARCHIVE.replace("vi/ct/victim", "ot/he/other") },
    };
    await place.plant(CFG.replace("vi/ct/victim", "ot/he/other"), JSON.stringify(other));
    await place.plant(other.SingleFile.FilePath, "archive");
    await rm(join(place.path, "store", DIRECTORY, "volume.cfg"));
    execFileSync("mkfifo", [join(place.path, "store", DIRECTORY, "volume.cfg")]);
    const listed = await engine.list({ url: place.url, endpoint: "", volume: "", snapshot: "" }, contextOf());
    expect(listed).toEqual([
      expect.not.objectContaining({ problem: expect.anything() }),
      expect.objectContaining({ volumeName: "victim", problem: expect.stringContaining("volume.cfg") }),
    ]);
  });

  test("link in place of the archive", async () => {
    await place.plant(CFG, JSON.stringify(honest));
    await rm(join(place.path, "store", ARCHIVE));
    await symlink("/etc/passwd", join(place.path, "store", ARCHIVE));
    await expect(engine.openRestore({ url, endpoint: "" }, contextOf())).rejects.toMatchObject({ code: "FORGED" });
  });
});
