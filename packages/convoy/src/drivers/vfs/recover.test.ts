import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { newId } from "../../host/root.ts";
import type { Driver } from "../driver.ts";
import { operation, spec } from "../driver-contract.ts";
import { originalRecord, Scratch } from "./harness.ts";

/** States that a crash can leave, made by hand: what the next start of the same root makes of them (R5). */
let scratch: Scratch;
let driver: Driver;

beforeEach(async () => {
  scratch = await Scratch.make();
  driver = await scratch.driver();
  await driver.create(spec("warm"), operation());
});
afterEach(() => scratch.remove());

const byHand = { mountPoint: "", holder: { kind: "manual", id: "" } } as const;
const endByHand = { holder: { kind: "manual", id: "" }, force: false, forceRoot: "" } as const;
const code = (value: string) => expect.objectContaining({ code: value });
const state = (...parts: string[]) => scratch.at("volumes/config/.convoy", ...parts);

async function rootId(name = "root"): Promise<string> {
  return (JSON.parse(await readFile(scratch.at(name, ".convoy-root.json"), "utf8")) as { ID: string }).ID;
}

/** Leaves an intent of the root, as if its daemon had died in the operation. */
async function leaveIntent(fields: Record<string, unknown>, root = "root"): Promise<string> {
  const ID = newId();
  await mkdir(state("intents"), { recursive: true });
  const intent = { ID, Root: await rootId(root), Host: "h", Started: "then", ...fields };
  await writeFile(state("intents", ID), JSON.stringify(intent));
  return ID;
}

/** A start of the daemon on the same root. */
async function restart(name = "root"): Promise<Driver> {
  const next = await scratch.driver(name);
  await next.recover(operation());
  return next;
}

async function volumeWithFile(name: string): Promise<Record<string, unknown>> {
  await driver.create(spec(name), operation());
  await writeFile(scratch.at("volumes", name, "file"), name);
  return scratch.record(name);
}

const content = (name: string) => readFile(scratch.at("volumes", name, "file"), "utf8");
const openIntents = () => readdir(state("intents"));

describe("an interrupted delete", () => {
  test("that had not removed the record has not begun: the volume lives, mounted or not", async () => {
    const Record = await volumeWithFile("db");
    await leaveIntent({ Operation: "delete", Volume: "db", Details: { Record } });
    await expect(driver.mount("db", byHand)).rejects.toEqual(code("VOLUME_BUSY"));
    const next = await restart();
    expect(await content("db")).toBe("db");
    await next.mount("db", byHand);
    expect(await openIntents()).toEqual([]);
  });

  test("that had removed the record is finished", async () => {
    const Record = await volumeWithFile("db");
    await driver.createSnapshot!("db", "snap", operation());
    await leaveIntent({ Operation: "delete", Volume: "db", Details: { Record: await scratch.record("db") } });
    await rename(scratch.at("volumes/config/vfs_volume_db.json"), scratch.at("gone"));
    const next = await restart();
    expect(existsSync(scratch.at("volumes/db"))).toBe(false);
    expect(await readdir(state("snapshots"))).toEqual([]);
    expect(Record["Name"]).toBe("db");
    await next.createSnapshot!("warm", "snap", operation());
  });

  test("leaves alone a volume that an original created again under the name", async () => {
    const Record = await volumeWithFile("db");
    await leaveIntent({ Operation: "delete", Volume: "db", Details: { Record } });
    await scratch.writeRecord("db", originalRecord("db", scratch.volumes));
    await restart();
    expect(await content("db")).toBe("db");
    expect(await openIntents()).toEqual([]);
  });
});

describe("an interrupted rename", () => {
  test("without its new record goes back", async () => {
    const Record = await volumeWithFile("db");
    await driver.createSnapshot!("db", "snap", operation());
    await leaveIntent({
      Operation: "rename",
      Volume: "db",
      NewName: "db2",
      Details: { Record: await scratch.record("db") },
    });
    await rename(scratch.at("volumes/db"), scratch.at("volumes/db2"));
    await rename(state("snapshots/db"), state("snapshots/db2"));
    await expect(driver.mount("db", byHand)).rejects.toEqual(code("VOLUME_BUSY"));
    const next = await restart();
    expect(await content("db")).toBe("db");
    expect((await next.list()).map((volume) => volume.name)).toEqual(["db", "warm"]);
    expect(Record["Name"]).toBe("db");
    await (await next.openSource!("db", "snap")).close();
  });

  test("with its new record is finished", async () => {
    const Record = await volumeWithFile("db");
    await leaveIntent({ Operation: "rename", Volume: "db", NewName: "db2", Details: { Record } });
    await rename(scratch.at("volumes/db"), scratch.at("volumes/db2"));
    await scratch.writeRecord("db2", { ...Record, Name: "db2", Path: `${scratch.volumes}/db2` });
    const next = await restart();
    expect((await next.list()).map((volume) => volume.name)).toEqual(["db2", "warm"]);
    expect(await content("db2")).toBe("db");
  });
});

describe("an interrupted restore", () => {
  const details = () => ({
    Record: originalRecord("res", scratch.volumes),
    Ancestor: "",
    Adopts: false,
  });

  test("R13: that never began does not publish the empty directory of its name", async () => {
    await mkdir(scratch.at("volumes/res"));
    await leaveIntent({ Operation: "create", Volume: "res", Details: details() });
    const next = await restart();
    expect(await next.get("res")).toBeUndefined();
    expect(await openIntents()).toEqual([]);
  });

  test("that stood in its place without a record is taken back, and nothing else is", async () => {
    await mkdir(scratch.at("volumes/res"));
    await writeFile(scratch.at("volumes/res/file"), "restored");
    const Inode = String((await stat(scratch.at("volumes/res"))).ino);
    await leaveIntent({ Operation: "create", Volume: "res", Details: { ...details(), Inode } });
    await mkdir(scratch.at("volumes/other"));
    await writeFile(scratch.at("volumes/other/file"), "other");
    await leaveIntent({
      Operation: "create",
      Volume: "other",
      Details: { ...details(), Record: originalRecord("other", scratch.volumes), Inode },
    });
    await restart();
    expect(existsSync(scratch.at("volumes/res"))).toBe(false);
    expect(await content("other")).toBe("other");
  });
});

describe("an interrupted snapshot", () => {
  test("frees its own name, never one that another volume has", async () => {
    await driver.create(spec("v1"), operation());
    await driver.createSnapshot!("v1", "s1", operation());
    await driver.delete("v1", { reference: true }, operation());
    await leaveIntent({ Operation: "snapshot", Volume: "warm", Snapshot: "s1" });
    const next = await restart();
    await expect(next.createSnapshot!("warm", "s1", operation())).rejects.toEqual(code("SNAPSHOT_EXISTS"));
  });
});

describe("archives of v0.5.2", () => {
  test("of another volume with an ambiguous name are never touched by tree snapshots", async () => {
    await mkdir(scratch.at("root/vfs/snapshots"), { recursive: true });
    const archive = scratch.at("root/vfs/snapshots/web_1_daily.tar.gz");
    await writeFile(archive, "archive");
    await driver.create(spec("web"), operation());
    await driver.createSnapshot!("web", "1_daily", operation());
    await driver.rename!("web", "www", operation());
    await driver.rename!("www", "web", operation());
    await driver.deleteSnapshot!("web", "1_daily", operation());
    await driver.createSnapshot!("web", "1_daily", operation());
    await driver.delete("web", { reference: false }, operation());
    expect(await readFile(archive, "utf8")).toBe("archive");
  });
});

describe("holders", () => {
  test("R9: a mount that another host's original recorded is neither taken over nor ended without force", async () => {
    await mkdir(scratch.at("volumes/db"));
    await scratch.writeRecord("db", originalRecord("db", scratch.volumes, { MountPoint: `${scratch.volumes}/db` }));
    const next = await restart();
    expect(await next.umount("db", endByHand)).toHaveLength(1);
    await expect(next.delete("db", { reference: false }, operation())).rejects.toEqual(code("VOLUME_MOUNTED"));
    expect(await next.umount("db", { ...endByHand, force: true })).toEqual([]);
    await next.delete("db", { reference: false }, operation());
  });

  test("R9: Docker's holders of a former boot are void, mounts by hand are renewed", async () => {
    await driver.create(spec("db"), operation());
    await driver.mount("db", { mountPoint: "", holder: { kind: "docker", id: "old" } });
    await driver.mount("db", byHand);
    const file = state("holders/db", await rootId());
    const text = await readFile(file, "utf8");
    await writeFile(file, text.replace(/"Boot":"[^"]*"/, '"Boot":"a-former-boot"'));
    await driver.mount("db", { mountPoint: "", holder: { kind: "docker", id: "new" } });
    const holders = (await driver.get("db"))!.holders.map((holder) => holder.id || holder.kind).sort();
    expect(holders).toEqual(["manual", "new"]);
    await writeFile(file, text.replace(/"Boot":"[^"]*"/, '"Boot":"a-former-boot"'));
    expect((await (await restart()).get("db"))!.holders).toMatchObject([{ kind: "manual" }]);
  });
});

test("R11: --init-store counts for what is there at the start, not for what comes later", async () => {
  const meant = await scratch.driver("root", { initStore: true });
  await meant.recover(operation());
  await rename(scratch.volumes, scratch.at("away"));
  await mkdir(scratch.volumes);
  await expect(meant.create(spec("vol2"), operation())).rejects.toEqual(code("UNREACHABLE"));
});

test("a volume called `config`, which v0.5.2 let one make, is refused and the records live", async () => {
  await scratch.writeRecord("config", originalRecord("config", scratch.volumes));
  await expect(driver.delete("config", { reference: false }, operation())).rejects.toEqual(code("RECORD_DAMAGED"));
  expect((await driver.list()).map((volume) => volume.name)).toEqual(["config", "warm"]);
});

test("what a failed operation left is settled while the daemon runs", async () => {
  const Record = await volumeWithFile("db");
  await leaveIntent({ Operation: "delete", Volume: "db", Details: { Record } });
  await expect(driver.mount("db", byHand)).rejects.toEqual(code("VOLUME_BUSY"));
  await expect
    .poll(() => driver.mount("db", byHand).catch(() => ""), { timeout: 20_000 })
    .toBe(`${scratch.volumes}/db`);
});
