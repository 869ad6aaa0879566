import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readFile, rm, stat, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parseBackupUrl } from "../stores/url.ts";
import { backUp, contextOf, faulty, Place, subjectOf } from "./engine.fixture.ts";
import type { BackupEngine } from "./engine.ts";

let place: Place;
let engine: BackupEngine;
beforeEach(async () => {
  place = await Place.make();
  engine = place.engine();
});
afterEach(() => place.end());

const VOLUME = "convoy-objectstore/volumes/vo/l1/vol1";
const list = (volume = "", snapshot = "") =>
  engine.list({ url: place.url, endpoint: "", volume, snapshot }, contextOf());
const text = (key: string) => readFile(join(place.path, "store", key), "utf8");

describe("a backup of a snapshot's archive", () => {
  test("lies in the store as v0.5.2 would have it, with our fields after its own", async () => {
    const source = await place.archive("some data");
    const { url, warnings } = await engine.create(
      { url: place.url, endpoint: "", initStore: false, subject: subjectOf(), source },
      contextOf(),
    );
    const { backup } = parseBackupUrl(url);
    const archive = await readFile(source.file);
    expect(url).toBe(`${place.url}?backup=${backup}&volume=vol1`);
    expect(backup).toMatch(/^backup-[0-9a-f]{16}$/);
    expect(warnings).toEqual([]);
    expect(await place.keys()).toEqual([
      `${VOLUME}/BackupFiles/${backup}.bak`,
      `${VOLUME}/backups/backup_${backup}.cfg`,
      `${VOLUME}/volume.cfg`,
    ]);
    expect(await text(`${VOLUME}/volume.cfg`)).toBe(
      '{"Name":"vol1","Driver":"vfs","Size":0,"CreatedTime":"Fri Nov 20 06:52:25 +0000 2026","LastBackupName":""}',
    );
    const cfg = await text(`${VOLUME}/backups/backup_${backup}.cfg`);
    expect(cfg.replace(/"CreatedTime":"[^"]*"/, '"CreatedTime":"T"')).toBe(
      `{"Name":"${backup}","Driver":"","VolumeName":"vol1","SnapshotName":"snap1",` +
        `"SnapshotCreatedAt":"Fri Nov 20 06:52:27 +0000 2026","CreatedTime":"T",` +
        `"SingleFile":{"FilePath":"${VOLUME}/BackupFiles/${backup}.bak"},` +
        `"VolumeID":"11111111111111111111111111111111","SnapshotID":"22222222222222222222222222222222",` +
        `"VolumeSize":0,"VolumeCreatedAt":"Fri Nov 20 06:52:25 +0000 2026",` +
        `"ArchiveSize":${archive.length},"ArchiveSHA256":"${createHash("sha256").update(archive).digest("hex")}"}`,
    );
    expect(await readFile(join(place.path, "store", VOLUME, "BackupFiles", `${backup}.bak`))).toEqual(archive);
  });

  test("has the destination in its URL exactly as it was given, and is listed under the rebuilt one", async () => {
    const url = `vfs:${place.path}/store`;
    const source = await place.archive();
    const created = await engine.create(
      { url, endpoint: "", initStore: false, subject: subjectOf(), source },
      contextOf(),
    );
    expect(created.url.startsWith(`${url}?backup=backup-`)).toBe(true);
    const store = await place.openStore();
    await store.close();
    expect((await list())[0]!.url).toBe(created.url.replace(url, store.url));
  });

  test("tells how far it is", async () => {
    const seen: { phase: string; bytesDone?: number; bytesTotal?: number }[] = [];
    await backUp(place, engine, { context: contextOf(undefined, seen) });
    expect(seen.map(({ phase }) => phase)).toEqual(["waiting", "locking", "uploading", "verifying"]);
    expect(seen[2]!.bytesDone).toBe(seen[2]!.bytesTotal);
  });

  test("two at once of one volume are both made, one after the other", async () => {
    const urls = await Promise.all([1, 2, 3].map(() => backUp(place, engine)));
    expect((await list("vol1")).map(({ name }) => name).sort()).toEqual(
      urls.map(({ url }) => parseBackupUrl(url).backup).sort(),
    );
  });

  test("a volume whose name has '..' at its third byte lies where v0.5.2 put it", async () => {
    const { url } = await backUp(place, engine, { subject: subjectOf("ab..cd") });
    expect((await place.keys()).every((key) => key.startsWith("convoy-objectstore/volumes/ab..cd/"))).toBe(true);
    expect(await list("ab..cd")).toHaveLength(1);
    expect((await list())[0]!.volumeName).toBe("ab..cd");
    expect(await engine.inspect({ url, endpoint: "" }, contextOf())).not.toHaveProperty("problem");
  });

  test("a destination with a query is refused", async () => {
    const source = await place.archive();
    const request = { url: `${place.url}?volume=x1`, endpoint: "", initStore: false, subject: subjectOf(), source };
    await expect(engine.create(request, contextOf())).rejects.toMatchObject({ code: "INVALID_URL" });
  });
});

describe("what cannot be backed up is a failure and leaves the store as it was", () => {
  const failsWith = async (file: string, code: string) => {
    const before = await place.keys();
    const source = { kind: "archive" as const, file, close: async () => undefined };
    const request = { url: place.url, endpoint: "", initStore: false, subject: subjectOf(), source };
    await expect(engine.create(request, contextOf())).rejects.toMatchObject({ code });
    expect(await place.keys()).toEqual(before);
    expect(await list()).toEqual([]);
  };

  test("D4: a missing archive", () => failsWith(join(place.path, "nothing.tar.gz"), "SNAPSHOT_NOT_FOUND"));

  test("an empty archive", async () => {
    await writeFile(join(place.path, "empty"), "");
    await failsWith(join(place.path, "empty"), "BACKUP_DAMAGED");
  });

  test("a truncated archive", async () => {
    const { file } = await place.archive("x".repeat(10_000));
    await truncate(file, (await stat(file)).size - 5);
    await failsWith(file, "BACKUP_DAMAGED");
  });

  test("something that is no archive", async () => {
    await writeFile(join(place.path, "text"), "this is not gzip");
    await failsWith(join(place.path, "text"), "BACKUP_DAMAGED");
  });

  test("R32: a link to an archive", async () => {
    const { file } = await place.archive();
    await symlink(file, join(place.path, "link"));
    await failsWith(join(place.path, "link"), "BACKUP_DAMAGED");
  });

  test("R32: a FIFO in place of the archive does not hang", async () => {
    execFileSync("mkfifo", [join(place.path, "fifo")]);
    await failsWith(join(place.path, "fifo"), "BACKUP_DAMAGED");
  });

  test("R26: a store inside a volume or a snapshot", async () => {
    engine = place.engine({ protectedDirectories: [join(place.path, "nowhere"), place.path] });
    await expect(backUp(place, engine)).rejects.toMatchObject({ code: "INVALID_URL" });
    expect(await place.keys()).toEqual([]);
  });

  test("a cancelled backup, running or still waiting", async () => {
    const canceller = new AbortController();
    const context = contextOf(canceller.signal);
    const running = backUp(place, engine, {
      context: { ...context, progress: ({ phase }) => phase === "uploading" && canceller.abort() },
      content: "cancelled",
    });
    await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
    await expect(backUp(place, engine, { context })).rejects.toMatchObject({ code: "CANCELLED" });
    expect(await place.keys()).toEqual([]);
  });

  test("a cancelled backup does not wait for the one before it", async () => {
    const canceller = new AbortController();
    let proceed = () => {};
    const gate = new Promise<void>((resolve) => {
      proceed = resolve;
    });
    let begun = () => {};
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    engine = place.engine({
      wrap: (store) => ({
        ...faulty(store, () => undefined),
        prepareWrite: async (options) => {
          begun();
          await gate;
          await store.prepareWrite(options);
        },
      }),
    });
    const first = backUp(place, engine);
    await started;
    const second = backUp(place, engine, { context: contextOf(canceller.signal) });
    canceller.abort();
    await expect(second).rejects.toMatchObject({ code: "CANCELLED" });
    proceed();
    await first;
    expect(await list()).toHaveLength(1);
  });
});

describe("volume.cfg", () => {
  test("R19: a failed read never overwrites it", async () => {
    await backUp(place, engine);
    const before = await text(`${VOLUME}/volume.cfg`);
    const blind = place.engine({
      wrap: (store) =>
        faulty(store, (call, key) => (call === "read" && key.endsWith("volume.cfg") ? "fail before" : undefined)),
    });
    await expect(backUp(place, blind)).rejects.toMatchObject({ code: "STORE_FAILED" });
    expect(await text(`${VOLUME}/volume.cfg`)).toBe(before);
    expect(await list()).toHaveLength(1);
  });

  test("a damaged one refuses the backup and stays as it is", async () => {
    await place.plant(`${VOLUME}/volume.cfg`, '{"Name":"vol1"');
    await expect(backUp(place, engine)).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
    expect(await text(`${VOLUME}/volume.cfg`)).toBe('{"Name":"vol1"');
    expect(await place.keys()).toEqual([`${VOLUME}/volume.cfg`]);
  });

  test("R31: one of another volume refuses the backup", async () => {
    await place.plant(`${VOLUME}/volume.cfg`, '{"Name":"vol2","Driver":"vfs","Size":0}');
    await expect(backUp(place, engine)).rejects.toMatchObject({ code: "FORGED" });
  });

  test("a name that belongs to a volume of another driver is refused", async () => {
    await place.plant(`${VOLUME}/volume.cfg`, '{"Name":"vol1","Driver":"devicemapper","Size":67108864}');
    await expect(backUp(place, engine)).rejects.toMatchObject({ code: "NAME_TAKEN" });
  });

  test("R21: its size grows, never shrinks, and each backup keeps its own; unknown fields survive", async () => {
    await place.plant(
      `${VOLUME}/volume.cfg`,
      '{"Name":"vol1","Driver":"vfs","Size":100,"CreatedTime":"then","LastBackupName":"","Extra":{"a":1}}',
    );
    for (const size of [50, 300, 200]) await backUp(place, engine, { subject: subjectOf("vol1", { size }) });
    expect(await text(`${VOLUME}/volume.cfg`)).toBe(
      '{"Name":"vol1","Driver":"vfs","Size":300,"CreatedTime":"then","LastBackupName":"","Extra":{"a":1}}',
    );
    expect((await list()).map(({ volumeSize }) => volumeSize).sort()).toEqual([200, 300, 50]);
  });
});

describe("R20: a name that another volume uses in the store", () => {
  const other = subjectOf("vol1", { id: "3".repeat(32), createdTime: "Sat Nov 21 06:52:25 +0000 2026" });

  test("gives a warning, and both keep their backups", async () => {
    await backUp(place, engine);
    const { warnings } = await backUp(place, engine, { subject: other });
    expect(warnings).toEqual([expect.stringContaining("Another volume uses the name vol1 in this store")]);
    expect((await list()).map(({ volumeCreatedTime }) => volumeCreatedTime).sort()).toEqual([
      "Fri Nov 20 06:52:25 +0000 2026",
      "Sat Nov 21 06:52:25 +0000 2026",
    ]);
  });

  test("gives none for the volume's own backups", async () => {
    await backUp(place, engine);
    expect((await backUp(place, engine)).warnings).toEqual([]);
  });

  test("gives none for the backups of the volume that this one was restored from", async () => {
    await backUp(place, engine);
    const restored = subjectOf("vol1", { ...other.volume, ancestorId: subjectOf().volume.id });
    expect((await backUp(place, engine, { subject: restored })).warnings).toEqual([]);
  });

  test("is told by the creation time where backups bear no ids", async () => {
    await place.end();
    place = await Place.ofOriginal();
    const same = subjectOf("files", { createdTime: "Fri Nov 20 07:11:10 +0000 2026" });
    const another = subjectOf("files", { createdTime: "Fri Nov 20 07:11:11 +0000 2026" });
    expect((await backUp(place, place.engine(), { subject: another })).warnings).toHaveLength(1);
    await place.end();
    place = await Place.ofOriginal();
    expect((await backUp(place, place.engine(), { subject: same })).warnings).toEqual([]);
  });
});

describe("R11: the store that is not there", () => {
  test("a missing directory is never made", async () => {
    await rm(join(place.path, "store"), { recursive: true });
    await expect(backUp(place, engine)).rejects.toMatchObject({ code: "UNREACHABLE" });
    await expect(stat(join(place.path, "store"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  test("an empty directory in the place of a store that was used before is refused until it is said to be meant", async () => {
    await backUp(place, engine);
    await rm(join(place.path, "store"), { recursive: true });
    await mkdir(join(place.path, "store"));
    await expect(backUp(place, engine)).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(await place.keys()).toEqual([]);
    const source = await place.archive();
    await engine.create({ url: place.url, endpoint: "", initStore: true, subject: subjectOf(), source }, contextOf());
    expect(await list()).toHaveLength(1);
  });
});
