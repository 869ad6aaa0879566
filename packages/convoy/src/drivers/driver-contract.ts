import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isConvoyError } from "../errors.ts";
import { silentLog } from "../host/log.ts";
import type { OperationContext } from "../host/operation.ts";
import type { CreateSpec, Driver, Holder } from "./driver.ts";

/** What the suite needs to know of a driver under test. */
export interface DriverUnderTest {
  driver: Driver;
  /** A second daemon's driver on the same volumes, if several hosts can share them. */
  other?: Driver;
  /** Writes and reads a file of a mounted volume. */
  write(mountPoint: string, file: string, text: string): Promise<void>;
  read(mountPoint: string, file: string): Promise<string>;
  close(): Promise<void>;
}

export function operation(signal = new AbortController().signal): OperationContext {
  return { signal, log: silentLog(), progress: () => undefined };
}

export function spec(name: string, extra: Partial<CreateSpec> = {}): CreateSpec {
  return { name, size: 0, vm: false, id: "", type: "", iops: 0, owner: {}, ...extra };
}

const byHand = { mountPoint: "", holder: { kind: "manual", id: "" } } as const;
const docker = (id: string) => ({ mountPoint: "", holder: { kind: "docker", id } }) as const;
const endByHand = { holder: { kind: "manual", id: "" }, force: false, forceRoot: "" } as const;
const endDocker = (id: string) => ({ holder: { kind: "docker", id }, force: false, forceRoot: "" }) as const;
const kinds = (holders: readonly Holder[]) => holders.map((holder) => holder.kind).sort();

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (isConvoyError(error)) return error.code;
    throw error;
  }
  return "no error";
}

/** The rules of driver.ts, asserted of one driver. */
export function driverContract(name: string, open: () => Promise<DriverUnderTest>): void {
  describe(`driver contract: ${name}`, () => {
    let under: DriverUnderTest;
    let driver: Driver;

    beforeEach(async () => {
      under = await open();
      driver = under.driver;
    });
    afterEach(() => under.close());

    const names = async () => (await driver.list()).map((volume) => volume.name).sort();

    test("a created volume is listed, found and empty; a deleted one is gone", async () => {
      await driver.create(spec("vol1"), operation());
      expect(await names()).toEqual(["vol1"]);
      const volume = await driver.get("vol1");
      expect(volume).toMatchObject({ name: "vol1", driver: driver.name, mountPoint: "" });
      expect(volume!.id).toMatch(/^[0-9a-f]{32}$/);
      await driver.delete("vol1", { reference: false }, operation());
      expect(await names()).toEqual([]);
      expect(await driver.get("vol1")).toBeUndefined();
    });

    test("deleting or mounting what is not there is VOLUME_NOT_FOUND", async () => {
      expect(await codeOf(driver.delete("nosuch", { reference: false }, operation()))).toBe("VOLUME_NOT_FOUND");
      expect(await codeOf(driver.mount("nosuch", byHand))).toBe("VOLUME_NOT_FOUND");
      expect(await codeOf(driver.umount("nosuch", endByHand))).toBe("VOLUME_NOT_FOUND");
    });

    test("R1: of simultaneous creates of one name exactly one wins, over two daemons too", async () => {
      const drivers = [driver, under.other ?? driver];
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => drivers[i % 2]!.create(spec("race"), operation())),
      );
      expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
      for (const result of results) {
        if (result.status === "rejected") expect(["VOLUME_EXISTS", "VOLUME_BUSY"]).toContain(result.reason.code);
      }
      expect(await names()).toEqual(["race"]);
    });

    test("R9: a mount lives until its last holder ends it", async () => {
      await driver.create(spec("vol1"), operation());
      const place = await driver.mount("vol1", docker("a".repeat(64)));
      expect(await driver.mount("vol1", docker("b".repeat(64)))).toBe(place);
      expect(await driver.mount("vol1", byHand)).toBe(place);
      await under.write(place, "file", "kept");
      expect(kinds(await driver.umount("vol1", endDocker("a".repeat(64))))).toEqual(["docker", "manual"]);
      expect((await driver.get("vol1"))!.mountPoint).toBe(place);
      expect(kinds(await driver.umount("vol1", endByHand))).toEqual(["docker"]);
      expect(await codeOf(driver.delete("vol1", { reference: false }, operation()))).toBe("VOLUME_MOUNTED");
      expect(await driver.umount("vol1", endDocker("b".repeat(64)))).toEqual([]);
      expect((await driver.get("vol1"))!.mountPoint).toBe("");
      await driver.delete("vol1", { reference: false }, operation());
    });

    test("R9: mounting twice for one holder counts once, an unknown holder's end is harmless", async () => {
      await driver.create(spec("vol1"), operation());
      await driver.mount("vol1", docker("x"));
      await driver.mount("vol1", docker("x"));
      expect(kinds(await driver.umount("vol1", endDocker("nobody")))).toEqual(["docker"]);
      expect(await driver.umount("vol1", endDocker("x"))).toEqual([]);
    });

    test("R9: engines that send no id share one holder", async () => {
      await driver.create(spec("vol1"), operation());
      await driver.mount("vol1", docker(""));
      const [holder] = (await driver.get("vol1"))!.holders;
      expect(holder).toMatchObject({ kind: "docker", id: "docker" });
      expect(await driver.umount("vol1", endDocker(""))).toEqual([]);
    });

    test("R13: a volume whose restore fails was never there", async () => {
      const broken = spec("vol1", {
        restore: { ancestorId: "", fill: () => Promise.reject(new Error("the archive is damaged")) },
      });
      await expect(driver.create(broken, operation())).rejects.toThrow("the archive is damaged");
      expect(await driver.get("vol1")).toBeUndefined();
      await driver.create(spec("vol1"), operation());
    });

    test("R13: while a restore runs the volume is invisible and its name is taken", async () => {
      const started = Promise.withResolvers<void>();
      const finish = Promise.withResolvers<void>();
      const slow = spec("vol1", {
        restore: {
          ancestorId: "",
          fill: async () => {
            started.resolve();
            await finish.promise;
          },
        },
      });
      const creation = driver.create(slow, operation());
      await started.promise;
      expect(await driver.get("vol1")).toBeUndefined();
      expect(await names()).toEqual([]);
      expect(["VOLUME_BUSY", "VOLUME_EXISTS"]).toContain(await codeOf(driver.create(spec("vol1"), operation())));
      finish.resolve();
      await creation;
      expect(await names()).toEqual(["vol1"]);
    });

    test("a volume keeps its content over mounts", async () => {
      await driver.create(spec("vol1"), operation());
      await under.write(await driver.mount("vol1", byHand), "file", "hello");
      await driver.umount("vol1", endByHand);
      expect(await under.read(await driver.mount("vol1", byHand), "file")).toBe("hello");
    });

    snapshotRules(() => under, names);
    referenceRules(() => under, names);
    renameRules(() => under, names);
  });
}

function snapshotRules(under: () => DriverUnderTest, names: () => Promise<string[]>): void {
  test("a snapshot is listed with its volume, deleted alone and with its volume", async () => {
    const { driver } = under();
    if (!driver.abilities.snapshots) return expect(driver.createSnapshot).toBeUndefined();
    await driver.create(spec("vol1"), operation());
    await under().write(await driver.mount("vol1", byHand), "file", "one");
    const made = await driver.createSnapshot!("vol1", "snap1", operation());
    expect(made.id).toMatch(/^[0-9a-f]{32}$/);
    await driver.createSnapshot!("vol1", "snap2", operation());
    expect([...(await driver.get("vol1"))!.snapshots.keys()].sort()).toEqual(["snap1", "snap2"]);
    expect(await driver.findSnapshot!("snap1")).toEqual(["vol1"]);
    await driver.deleteSnapshot!("vol1", "snap1", operation());
    expect(await driver.findSnapshot!("snap1")).toEqual([]);
    expect(await codeOf(driver.deleteSnapshot!("vol1", "snap1", operation()))).toBe("SNAPSHOT_NOT_FOUND");
    await driver.umount("vol1", endByHand);
    await driver.delete("vol1", { reference: false }, operation());
    expect(await driver.findSnapshot!("snap2")).toEqual([]);
    await driver.create(spec("vol2"), operation());
    await driver.createSnapshot!("vol2", "snap2", operation());
    expect(await names()).toEqual(["vol2"]);
  });

  test("R3: of simultaneous snapshots of one name on two volumes exactly one is made", async () => {
    const { driver } = under();
    if (!driver.abilities.snapshots) return expect(driver.createSnapshot).toBeUndefined();
    await driver.create(spec("vol1"), operation());
    await driver.create(spec("vol2"), operation());
    const other = under().other ?? driver;
    const results = await Promise.allSettled([
      driver.createSnapshot!("vol1", "snap", operation()),
      other.createSnapshot!("vol2", "snap", operation()),
    ]);
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    expect(await driver.findSnapshot!("snap")).toHaveLength(1);
  });

  test("a snapshot that is being read is held: neither it nor its volume can be deleted", async () => {
    const { driver } = under();
    if (driver.abilities.backups !== "source") return expect(driver.openSource).toBeUndefined();
    await driver.create(spec("vol1"), operation());
    await driver.createSnapshot!("vol1", "snap", operation());
    const source = await driver.openSource!("vol1", "snap");
    expect(await codeOf(driver.deleteSnapshot!("vol1", "snap", operation()))).toBe("VOLUME_BUSY");
    expect(await codeOf(driver.delete("vol1", { reference: false }, operation()))).toBe("VOLUME_BUSY");
    await driver.mount("vol1", byHand);
    await driver.umount("vol1", endByHand);
    await source.close();
    await driver.deleteSnapshot!("vol1", "snap", operation());
  });

  test("a cancelled snapshot leaves nothing and its name is free", async () => {
    const { driver } = under();
    if (!driver.abilities.snapshots) return expect(driver.createSnapshot).toBeUndefined();
    await driver.create(spec("vol1"), operation());
    await under().write(await driver.mount("vol1", byHand), "file", "one");
    await expect(driver.createSnapshot!("vol1", "snap", operation(AbortSignal.abort()))).rejects.toThrow();
    expect(await driver.findSnapshot!("snap")).toEqual([]);
    await driver.createSnapshot!("vol1", "snap", operation());
  });
}

function referenceRules(under: () => DriverUnderTest, names: () => Promise<string[]>): void {
  test("R6: a volume removed reference-only is listed as detached and taken back whole", async () => {
    const { driver } = under();
    if (!driver.abilities.referenceRemoval) return expect(driver.listDetached).toBeUndefined();
    await driver.create(spec("vol1"), operation());
    const { id } = (await driver.get("vol1"))!;
    await under().write(await driver.mount("vol1", byHand), "file", "kept");
    await driver.createSnapshot!("vol1", "snap", operation());
    expect(await codeOf(driver.delete("vol1", { reference: true }, operation()))).toBe("VOLUME_MOUNTED");
    await driver.umount("vol1", endByHand);
    await driver.delete("vol1", { reference: true }, operation());
    expect(await names()).toEqual([]);
    expect(await driver.listDetached!()).toMatchObject([{ name: "vol1", snapshots: ["snap"] }]);
    await driver.create(spec("vol2"), operation());
    expect(await codeOf(driver.createSnapshot!("vol2", "snap", operation()))).toBe("SNAPSHOT_EXISTS");
    await driver.create(spec("vol1"), operation());
    const back = (await driver.get("vol1"))!;
    expect(back.id).toBe(id);
    expect([...back.snapshots.keys()]).toEqual(["snap"]);
    expect(await under().read(await driver.mount("vol1", byHand), "file")).toBe("kept");
    expect(await driver.listDetached!()).toEqual([]);
  });

  test("R6: a detached volume is deleted for good by name, and refused as the target of a restore", async () => {
    const { driver } = under();
    if (!driver.abilities.referenceRemoval) return expect(driver.listDetached).toBeUndefined();
    await driver.create(spec("vol1"), operation());
    expect(await codeOf(driver.deleteDetached!("vol1", operation()))).toBe("VOLUME_NOT_FOUND");
    await driver.delete("vol1", { reference: true }, operation());
    const restore = { ancestorId: "", fill: () => Promise.resolve() };
    expect(await codeOf(driver.create(spec("vol1", { restore }), operation()))).toBe("NAME_TAKEN");
    await driver.deleteDetached!("vol1", operation());
    expect(await driver.listDetached!()).toEqual([]);
    expect(await codeOf(driver.deleteDetached!("vol1", operation()))).toBe("VOLUME_NOT_FOUND");
  });
}

function renameRules(under: () => DriverUnderTest, names: () => Promise<string[]>): void {
  test("a renamed volume keeps its content, id and snapshots; taken names and mounted volumes are refused", async () => {
    const { driver } = under();
    if (!driver.abilities.rename) return expect(driver.rename).toBeUndefined();
    await driver.create(spec("vol1"), operation());
    await driver.create(spec("taken"), operation());
    const { id } = (await driver.get("vol1"))!;
    await under().write(await driver.mount("vol1", byHand), "file", "moved");
    await driver.createSnapshot!("vol1", "snap", operation());
    expect(await codeOf(driver.rename!("vol1", "vol2", operation()))).toBe("VOLUME_MOUNTED");
    await driver.umount("vol1", endByHand);
    expect(await codeOf(driver.rename!("vol1", "taken", operation()))).toBe("VOLUME_EXISTS");
    await driver.rename!("vol1", "vol2", operation());
    expect(await names()).toEqual(["taken", "vol2"]);
    const moved = (await driver.get("vol2"))!;
    expect(moved.id).toBe(id);
    expect(await driver.findSnapshot!("snap")).toEqual(["vol2"]);
    const source = await driver.openSource!("vol2", "snap");
    await source.close();
    expect(await under().read(await driver.mount("vol2", byHand), "file")).toBe("moved");
    await driver.umount("vol2", endByHand);
    await driver.deleteSnapshot!("vol2", "snap", operation());
    await driver.create(spec("vol1"), operation());
  });
}
