import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
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

const list = (volume = "", snapshot = "", by = engine) =>
  by.list({ url: place.url, endpoint: "", volume, snapshot }, contextOf());
const VOLUME = "convoy-objectstore/volumes/vo/l1/vol1";

/** Plants a backup as v0.5.2 would have written it. */
async function plant(volume: string, directory: string, backup: string, snapshot = "snap1"): Promise<void> {
  const archive = `convoy-objectstore/volumes/${directory}/BackupFiles/${backup}.bak`;
  const cfg = {
    Name: backup,
    Driver: "",
    VolumeName: volume,
    SnapshotName: snapshot,
    SnapshotCreatedAt: "t",
    CreatedTime: "t",
    SingleFile: { FilePath: archive },
  };
  await place.plant(archive, "archive");
  await place.plant(
    `convoy-objectstore/volumes/${directory}/volume.cfg`,
    JSON.stringify({ Name: volume, Driver: "vfs", Size: 0, CreatedTime: "t", LastBackupName: "" }),
  );
  await place.plant(`convoy-objectstore/volumes/${directory}/backups/backup_${backup}.cfg`, JSON.stringify(cfg));
}

describe("list", () => {
  test("of an empty store is empty", async () => {
    expect(await list()).toEqual([]);
  });

  test("of what v0.5.2 wrote gives what it gave", async () => {
    await place.end();
    place = await Place.ofOriginal();
    engine = place.engine();
    const listed = await list();
    expect(listed.map(({ name }) => name).sort()).toEqual(["backup-5ff7a817e7a8447a", "backup-d64be23559b746b1"]);
    expect(listed.find(({ name }) => name === "backup-d64be23559b746b1")).toEqual({
      name: "backup-d64be23559b746b1",
      url: expect.stringMatching(/\/store\/?\?backup=backup-d64be23559b746b1&volume=files$/),
      volumeName: "files",
      snapshotName: "filesnap1",
      createdTime: "Fri Nov 20 07:11:11 +0000 2026",
      snapshotCreatedTime: "Fri Nov 20 07:11:11 +0000 2026",
      driver: "vfs",
      volumeCreatedTime: "Fri Nov 20 07:11:10 +0000 2026",
      volumeSize: 0,
      volumeId: "",
      snapshotId: "",
    });
  });

  test("of a volume, of a snapshot, of both", async () => {
    await backUp(place, engine);
    await backUp(place, engine, {
      subject: { ...subjectOf(), snapshot: { ...subjectOf().snapshot, name: "snap2" } },
    });
    await backUp(place, engine, { subject: subjectOf("vol10") });
    const names = async (volume: string, snapshot: string) =>
      (await list(volume, snapshot)).map(({ volumeName, snapshotName }) => `${volumeName}/${snapshotName}`).sort();
    expect(await names("", "")).toEqual(["vol1/snap1", "vol1/snap2", "vol10/snap1"]);
    expect(await names("vol1", "")).toEqual(["vol1/snap1", "vol1/snap2"]);
    expect(await names("", "snap1")).toEqual(["vol1/snap1", "vol10/snap1"]);
    expect(await names("vol1", "snap2")).toEqual(["vol1/snap2"]);
    expect(await names("vol1", "nothing")).toEqual([]);
  });

  test("of an unknown volume is the error of v0.5.2", async () => {
    await expect(list("vol1")).rejects.toMatchObject({
      code: "BACKUP_NOT_FOUND",
      message: `cannot find ${VOLUME}/volume.cfg in objectstore`,
    });
  });

  test.each(["../vol1", "a/b", ".."])("R31: of a volume called %s is refused", async (name) => {
    await expect(list(name)).rejects.toMatchObject({ code: "INVALID_NAME" });
  });

  test("shows a volume of one character, which no URL can name", async () => {
    await plant("r", "r!/!!/r!!!", "backup-0000000000000000");
    expect(await list()).toEqual([
      expect.objectContaining({ volumeName: "r", problem: expect.stringContaining("URL") }),
    ]);
    expect(await list("r")).toHaveLength(1);
  });

  test("is not disturbed by stray files and directories", async () => {
    await backUp(place, engine);
    const before = await list();
    await place.plant(`${VOLUME}/backups/backup_x.cfg.tmp`, "half");
    await place.plant(`${VOLUME}/backups/README`, "notes");
    await place.plant(`${VOLUME}/backups/sub/backup_y.cfg`, "{}");
    await place.plant("convoy-objectstore/volumes/zz/zz/vol1/volume.cfg", "{}");
    await place.plant("convoy-objectstore/volumes/stray", "file");
    await mkdir(join(place.path, "store/convoy-objectstore/volumes/vo/l2/vol2"), { recursive: true });
    await mkdir(join(place.path, "store/convoy-objectstore/volumes/größe/a/b"), { recursive: true });
    expect(await list()).toEqual(before);
  });

  test("one bad cfg or volume.cfg hides nothing else", async () => {
    await backUp(place, engine);
    await place.plant(`${VOLUME}/backups/backup_backup-bad.cfg`, "{");
    await plant("other", "ot/he/other", "backup-other");
    await place.plant("convoy-objectstore/volumes/ot/he/other/volume.cfg", "nonsense");
    await plant("third", "th/ir/third", "backup-third");
    await rm(join(place.path, "store/convoy-objectstore/volumes/th/ir/third/volume.cfg"));
    const problems = (await list()).map(({ name, problem }) => [
      name.replace(/^backup-[0-9a-f]{16}$/, "good"),
      problem,
    ]);
    expect(Object.fromEntries(problems)).toEqual({
      good: undefined,
      "backup-bad": expect.stringContaining(`${VOLUME}/backups/backup_backup-bad.cfg in objectstore is damaged`),
      "backup-other": expect.stringContaining("ot/he/other/volume.cfg in objectstore is damaged"),
      "backup-third": "cannot find convoy-objectstore/volumes/th/ir/third/volume.cfg in objectstore",
    });
  });

  test("an object that the store cannot read is that backup's problem, a store that is not there is an error", async () => {
    const { url } = await backUp(place, engine);
    await backUp(place, engine);
    const bad = parseBackupUrl(url).backup;
    const flaky = place.engine({
      wrap: (store) => faulty(store, (call, key) => (call === "read" && key.includes(bad) ? "fail before" : undefined)),
    });
    const listed = await list("", "", flaky);
    expect(listed).toHaveLength(2);
    expect(listed.find(({ name }) => name === bad)?.problem).toContain("failed");
    await rm(join(place.path, "store"), { recursive: true });
    await expect(list()).rejects.toMatchObject({ code: "UNREACHABLE" });
  });

  test("D4: a backup whose archive is missing, empty or of another size is marked", async () => {
    const urls = [await backUp(place, engine), await backUp(place, engine), await backUp(place, engine)];
    const paths = urls.map(({ url }) =>
      join(place.path, "store", VOLUME, "BackupFiles", `${parseBackupUrl(url).backup}.bak`),
    );
    await rm(paths[0]!);
    await writeFile(paths[1]!, "");
    await writeFile(paths[2]!, "something else");
    const listed = await list();
    expect(listed.map(({ problem }) => /is missing|has \d+ bytes/.test(problem ?? ""))).toEqual([true, true, true]);
    for (const { url } of urls) {
      expect(await engine.inspect({ url, endpoint: "" }, contextOf())).toHaveProperty("problem");
      await expect(engine.openRestore({ url, endpoint: "" }, contextOf())).rejects.toMatchObject({
        code: "BACKUP_DAMAGED",
      });
    }
  });

  test("R26: reads a cfg once, a handful at a time, and sees a changed one", async () => {
    const backups = Array.from({ length: 300 }, (_, index) => `backup-${String(index).padStart(16, "0")}`);
    for (const [index, backup] of backups.entries()) {
      await plant(`many${index % 3}`, `ma/ny/many${index % 3}`, backup);
    }
    let reads = 0;
    let running = 0;
    let most = 0;
    const counting = place.engine({
      wrap: (store) => ({
        ...faulty(store, () => undefined),
        async read(key, options) {
          if (key.includes("/backups/")) reads++;
          most = Math.max(most, ++running);
          try {
            return await store.read(key, options);
          } finally {
            running--;
          }
        },
      }),
    });
    expect(await list("", "", counting)).toHaveLength(300);
    expect([reads, most <= 16]).toEqual([300, true]);
    expect(await list("", "", counting)).toHaveLength(300);
    expect(reads).toBe(300);
    await plant("many0", "ma/ny/many0", backups[0]!, "another-snapshot");
    expect(await list("", "another-snapshot", counting)).toHaveLength(1);
    expect(reads).toBe(301);
  });

  test("a cancelled listing ends", async () => {
    const context = contextOf(AbortSignal.abort());
    await backUp(place, engine);
    const listing = engine.list({ url: place.url, endpoint: "", volume: "", snapshot: "" }, context);
    await expect(listing).rejects.toMatchObject({ code: "CANCELLED" });
  });
});

describe("inspect", () => {
  test("gives what list gives", async () => {
    const { url } = await backUp(place, engine);
    const [listed] = await list();
    expect(await engine.inspect({ url, endpoint: "" }, contextOf())).toEqual(listed);
    expect(listed).toMatchObject({
      volumeId: "11111111111111111111111111111111",
      snapshotId: "22222222222222222222222222222222",
    });
  });

  test("of something unknown is the error of v0.5.2", async () => {
    const url = `${place.url}?backup=backup-0000000000000000&volume=vol1`;
    const inspect = () => engine.inspect({ url, endpoint: "" }, contextOf());
    await expect(inspect()).rejects.toMatchObject({
      code: "BACKUP_NOT_FOUND",
      message: `cannot find ${VOLUME}/volume.cfg in objectstore`,
    });
    await backUp(place, engine);
    await expect(inspect()).rejects.toMatchObject({
      message: `cannot find ${VOLUME}/backups/backup_backup-0000000000000000.cfg in objectstore`,
    });
  });
});

describe("delete", () => {
  const remove = (url: string) => engine.delete({ url, endpoint: "" }, contextOf());

  test("removes the backup, leaves volume.cfg and every other backup", async () => {
    const first = await backUp(place, engine);
    const second = await backUp(place, engine);
    const neighbour = await backUp(place, engine, { subject: subjectOf("vol10") });
    await remove(first.url);
    expect((await list()).map(({ name }) => name).sort()).toEqual(
      [second, neighbour].map(({ url }) => parseBackupUrl(url).backup).sort(),
    );
    await remove(second.url);
    expect((await place.keys()).filter((key) => !key.includes("vol10"))).toEqual([`${VOLUME}/volume.cfg`]);
    await expect(remove(second.url)).rejects.toMatchObject({ code: "BACKUP_NOT_FOUND" });
  });

  test("clears a LastBackupName that names it", async () => {
    const { url } = await backUp(place, engine);
    const path = join(place.path, "store", VOLUME, "volume.cfg");
    const before = await readFile(path, "utf8");
    await writeFile(path, before.replace('"LastBackupName":""', `"LastBackupName":"${parseBackupUrl(url).backup}"`));
    await remove(url);
    expect(await readFile(path, "utf8")).toBe(before);
  });

  test("of a backup of v0.5.2 works", async () => {
    await place.end();
    place = await Place.ofOriginal();
    engine = place.engine();
    await remove(`${place.url}?backup=backup-d64be23559b746b1&volume=files`);
    expect((await list()).map(({ name }) => name)).toEqual(["backup-5ff7a817e7a8447a"]);
    expect((await place.keys()).filter((key) => key.includes("d64be23559b746b1"))).toEqual([]);
  });

  test("of a backup of blocks is refused until there is a driver for it; it is listed all the same", async () => {
    const directory = "convoy-objectstore/volumes/bl/oc/blocks";
    await place.plant(
      `${directory}/volume.cfg`,
      '{"Name":"blocks","Driver":"devicemapper","Size":67108864,"CreatedTime":"t","LastBackupName":"backup-b1"}',
    );
    await place.plant(
      `${directory}/backups/backup_backup-b1.cfg`,
      `{"Name":"backup-b1","Driver":"","VolumeName":"blocks","SnapshotName":"s1","SnapshotCreatedAt":"t","CreatedTime":"t","Blocks":[{"Offset":0,"BlockChecksum":"${"7".repeat(64)}"}],"SingleFile":{"FilePath":""}}`,
    );
    const url = `${place.url}?backup=backup-b1&volume=blocks`;
    const before = await place.keys();
    await expect(remove(url)).rejects.toMatchObject({ code: "UNSUPPORTED" });
    expect(await place.keys()).toEqual(before);
    expect(await list()).toEqual([
      expect.objectContaining({ name: "backup-b1", driver: "devicemapper", volumeSize: 67108864 }),
    ]);
    const restore = await engine.openRestore({ url, endpoint: "" }, contextOf());
    expect(restore.summary.driver).toBe("devicemapper");
    const target = { kind: "tree" as const, directory: place.path, reserveBytes: 0 };
    await expect(restore.fill(target, contextOf())).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await restore.close();
  });
});
