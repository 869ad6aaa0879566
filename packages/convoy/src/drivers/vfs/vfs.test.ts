import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { driverContract, operation, spec } from "../driver-contract.ts";
import { openForContract, originalRecord, Scratch } from "./harness.ts";

driverContract("vfs", () => openForContract());
driverContract("vfs on tmpfs", () => openForContract("/dev/shm"));

const byHand = { mountPoint: "", holder: { kind: "manual", id: "" } } as const;
const endByHand = { holder: { kind: "manual", id: "" }, force: false, forceRoot: "" } as const;
const endDocker = { holder: { kind: "docker", id: "a" }, force: false, forceRoot: "" } as const;

let scratch: Scratch;
beforeEach(async () => {
  scratch = await Scratch.make();
});
afterEach(() => scratch.remove());

const code = (value: string) => expect.objectContaining({ code: value });

describe("records in the format of v0.5.2", () => {
  test("a new record has the original's fields in its order, and one line", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1"), operation());
    const text = await readFile(scratch.at("volumes/config/vfs_volume_vol1.json"), "utf8");
    expect(text).toMatch(/^\{.*\}\n$/);
    const keys = ["Name", "Size", "Path", "MountPoint", "PrepareForVM", "CreatedTime", "Snapshots"];
    expect(Object.keys(JSON.parse(text)).slice(0, keys.length)).toEqual(keys);
    expect(JSON.parse(text)).toMatchObject({ Name: "vol1", Size: 0, Path: `${scratch.volumes}/vol1`, Snapshots: {} });
    expect((await stat(scratch.at("volumes/vol1"))).mode & 0o7777).toBe(0o700);
  });

  test("R1: unknown fields of a record survive a rewrite", async () => {
    const driver = await scratch.driver();
    await mkdir(scratch.at("volumes/old"));
    await scratch.writeRecord("old", originalRecord("old", scratch.volumes, { Later: { a: [1] } }));
    await driver.mount("old", byHand);
    expect(await scratch.record("old")).toMatchObject({ Later: { a: [1] }, MountPoint: `${scratch.volumes}/old` });
  });

  test("R2: one bad record hides no other and names its reason", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("good"), operation());
    await scratch.writeRecord("broken", "{bad");
    await scratch.writeRecord("empty", "");
    await scratch.writeRecord("typed", originalRecord("typed", scratch.volumes, { Size: "10" }));
    const volumes = await driver.list();
    expect(volumes.map(({ name, problem }) => [name, problem !== undefined])).toEqual([
      ["broken", true],
      ["empty", true],
      ["good", false],
      ["typed", true],
    ]);
    await expect(driver.get("broken")).rejects.toMatchObject({
      code: "RECORD_DAMAGED",
      message: /vfs_volume_broken\.json/,
    });
    await driver.mount("good", byHand);
  });

  test("R3: existing records with odd names keep working", async () => {
    const driver = await scratch.driver();
    for (const name of ["a", "bad name!", "-lead", "ünï"]) {
      await mkdir(scratch.at("volumes", name), { recursive: true });
      await scratch.writeRecord(name, originalRecord(name, scratch.volumes));
    }
    expect((await driver.list()).map((volume) => volume.problem)).toEqual([undefined, undefined, undefined, undefined]);
    await driver.mount("bad name!", byHand);
    await driver.umount("bad name!", endByHand);
    await driver.delete("a", { reference: false }, operation());
    expect(await driver.get("a")).toBeUndefined();
  });

  test("R31: a record whose Path names something else is refused and its path is not touched", async () => {
    const driver = await scratch.driver();
    await mkdir(scratch.at("precious"));
    await writeFile(scratch.at("precious/file"), "data");
    await scratch.writeRecord("evil", originalRecord("evil", scratch.volumes, { Path: scratch.at("precious") }));
    await expect(driver.delete("evil", { reference: false }, operation())).rejects.toEqual(code("RECORD_DAMAGED"));
    expect(existsSync(scratch.at("precious/file"))).toBe(true);
  });

  test("R31: a Path with another parent, as another host sees the share, is accepted and only our own is used", async () => {
    const driver = await scratch.driver();
    await mkdir(scratch.at("elsewhere/vol1"), { recursive: true });
    await writeFile(scratch.at("elsewhere/vol1/file"), "data");
    await mkdir(scratch.at("volumes/vol1"));
    await scratch.writeRecord("vol1", originalRecord("vol1", scratch.at("elsewhere")));
    expect((await driver.get("vol1"))!.info["Path"]).toBe(`${scratch.volumes}/vol1`);
    await driver.delete("vol1", { reference: false }, operation());
    expect(existsSync(scratch.at("elsewhere/vol1/file"))).toBe(true);
    expect(existsSync(scratch.at("volumes/vol1"))).toBe(false);
  });

  test("R32: a FIFO or a link in place of a record is refused at once", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1"), operation());
    await writeFile(scratch.at("outside.json"), JSON.stringify(originalRecord("linked", scratch.volumes)));
    await symlink(scratch.at("outside.json"), scratch.at("volumes/config/vfs_volume_linked.json"));
    await expect(driver.get("linked")).rejects.toEqual(code("RECORD_DAMAGED"));
    expect((await driver.list()).find((volume) => volume.name === "linked")!.problem).toContain("not a regular file");
  });
});

describe("R7 adoption", () => {
  test("an existing directory becomes the volume with its content", async () => {
    const driver = await scratch.driver();
    await mkdir(scratch.at("volumes/old"));
    await writeFile(scratch.at("volumes/old/file"), "data");
    await driver.create(spec("old"), operation());
    expect(await readFile(scratch.at("volumes/old/file"), "utf8")).toBe("data");
  });

  test("a link or a file of the name is refused", async () => {
    const driver = await scratch.driver();
    await mkdir(scratch.at("target"));
    await symlink(scratch.at("target"), scratch.at("volumes/linked"));
    await writeFile(scratch.at("volumes/file"), "x");
    await expect(driver.create(spec("linked"), operation())).rejects.toEqual(code("NAME_TAKEN"));
    await expect(driver.create(spec("file"), operation())).rejects.toEqual(code("NAME_TAKEN"));
    expect(await driver.list()).toEqual([]);
  });

  test("restoring into a directory with content is refused and touches nothing", async () => {
    const driver = await scratch.driver();
    await mkdir(scratch.at("volumes/old"));
    await writeFile(scratch.at("volumes/old/file"), "data");
    const restore = { ancestorId: "", fill: () => Promise.reject(new Error("must not be called")) };
    await expect(driver.create(spec("old", { restore }), operation())).rejects.toEqual(code("NOT_EMPTY"));
    expect(await readFile(scratch.at("volumes/old/file"), "utf8")).toBe("data");
  });

  test("restore of x leaves a volume called x.tmp alone", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("x.tmp"), operation());
    await writeFile(scratch.at("volumes/x.tmp/file"), "data");
    const restore = {
      ancestorId: "",
      fill: ({ directory }: { directory: string }) => writeFile(`${directory}/new`, "n"),
    };
    await driver.create(spec("x", { restore }), operation());
    expect(await readFile(scratch.at("volumes/x.tmp/file"), "utf8")).toBe("data");
    expect(await readFile(scratch.at("volumes/x/new"), "utf8")).toBe("n");
  });
});

describe("owner of a new volume", () => {
  test("uid, gid and mode are set exactly; an adopted directory keeps its own and says so", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1", { owner: { uid: 1000, gid: 2000, mode: 0o2770 } }), operation());
    const stats = await stat(scratch.at("volumes/vol1"));
    expect([stats.uid, stats.gid, stats.mode & 0o7777]).toEqual([1000, 2000, 0o2770]);
    await mkdir(scratch.at("volumes/old"), { mode: 0o755 });
    const adopted = await driver.create(spec("old", { owner: { uid: 1000 } }), operation());
    expect(adopted.warnings).toEqual([expect.stringContaining("have no effect")]);
    expect((await stat(scratch.at("volumes/old"))).uid).toBe(0);
  });
});

describe("options silently ignored", () => {
  test("taking back a detached volume tells what has no effect, and refuses another size of image", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1", { owner: { uid: 1000 } }), operation());
    await driver.create(spec("vm1", { vm: true, size: 10 << 20 }), operation());
    for (const name of ["vol1", "vm1"]) await driver.delete(name, { reference: true }, operation());
    const { warnings } = await driver.create(spec("vol1", { owner: { uid: 33 } }), operation());
    expect(warnings).toEqual([expect.stringContaining("is back"), expect.stringContaining("uid, gid and mode")]);
    expect((await stat(scratch.at("volumes/vol1"))).uid).toBe(1000);
    await expect(driver.create(spec("vm1", { vm: true, size: 20 << 20 }), operation())).rejects.toEqual(
      code("NAME_TAKEN"),
    );
    await driver.create(spec("vm1", { vm: true, size: 10 << 20 }), operation());
  });
});

describe("--vm", () => {
  test("the image is made sparse at mount, of the given or the default size, and kept", async () => {
    const driver = await scratch.driver("root", {
      options: [
        ["vfs.path", scratch.volumes],
        ["vfs.defaultvolumesize", "20m"],
      ],
    });
    await driver.create(spec("vm1", { vm: true, size: 10 << 20 }), operation());
    await driver.create(spec("vm2", { vm: true }), operation());
    await driver.mount("vm1", byHand);
    await driver.mount("vm2", byHand);
    const image = await stat(scratch.at("volumes/vm1/disk.img"));
    expect([image.size, image.blocks]).toEqual([10 << 20, 0]);
    expect((await stat(scratch.at("volumes/vm2/disk.img"))).size).toBe(20 << 20);
    expect((await driver.get("vm1"))!.info).toMatchObject({ PrepareForVM: "true", Size: "10485760" });
  });
});

describe("R8 taking over", () => {
  test("a root of v0.5.2 is read without a change; a mounted volume is held by `legacy` and ends by hand", async () => {
    await mkdir(scratch.at("root/vfs"), { recursive: true });
    const config = {
      Root: scratch.at("root/vfs"),
      Path: scratch.volumes,
      ConfigPath: `${scratch.volumes}/config`,
      DefaultVolumeSize: 107374182400,
    };
    await writeFile(scratch.at("root/vfs/vfs.cfg"), `${JSON.stringify(config)}\n`);
    await mkdir(scratch.at("volumes/vol1"), { recursive: true });
    await scratch.writeRecord("vol1", originalRecord("vol1", scratch.volumes));
    const before = await readdir(scratch.volumes, { recursive: true });
    const driver = await scratch.driver("root", { takenOver: true, options: [] });
    await driver.recover(operation());
    expect((await driver.list()).map((volume) => volume.name)).toEqual(["vol1"]);
    expect(await readdir(scratch.volumes, { recursive: true })).toEqual(before);

    await scratch.writeRecord(
      "vol1",
      originalRecord("vol1", scratch.volumes, { MountPoint: `${scratch.volumes}/vol1` }),
    );
    await driver.recover(operation());
    expect((await driver.get("vol1"))!.holders).toMatchObject([{ kind: "legacy" }]);
    await expect(driver.delete("vol1", { reference: false }, operation())).rejects.toEqual(code("VOLUME_MOUNTED"));
    expect(await driver.umount("vol1", endDocker)).toMatchObject([{ kind: "legacy" }]);
    expect(await driver.umount("vol1", endByHand)).toEqual([]);
    await driver.delete("vol1", { reference: false }, operation());
  });

  test("a snapshot archive of v0.5.2 is a source; one on another host is an error and keeps its record", async () => {
    const driver = await scratch.driver();
    const archive = scratch.at("root/vfs/snapshots/vol1_snap1.tar.gz");
    const snapshot = (name: string, filePath: string) => ({
      Name: name,
      CreatedTime: "Fri Nov 20 06:50:37 +0000 2026",
      VolumeUUID: "vol1",
      FilePath: filePath,
    });
    await mkdir(scratch.at("root/vfs/snapshots"), { recursive: true });
    await mkdir(scratch.at("volumes/vol1"));
    await writeFile(archive, "archive");
    const Snapshots = {
      snap1: snapshot("snap1", archive),
      far: snapshot("far", "/var/lib/rancher/convoy/vfs/snapshots/vol1_far.tar.gz"),
      forged: snapshot("forged", "/etc/passwd"),
    };
    await scratch.writeRecord("vol1", originalRecord("vol1", scratch.volumes, { Snapshots }));
    const source = await driver.openSource!("vol1", "snap1");
    expect(source).toMatchObject({ kind: "archive", file: archive });
    await source.close();
    expect((await driver.get("vol1"))!.snapshots.get("snap1")!.id).toMatch(/^[0-9a-f]{32}$/);
    await expect(driver.openSource!("vol1", "far")).rejects.toMatchObject({ message: /not on this host/ });
    await expect(driver.deleteSnapshot!("vol1", "far", operation())).rejects.toMatchObject({
      message: /not on this host/,
    });
    await expect(driver.deleteSnapshot!("vol1", "forged", operation())).rejects.toEqual(code("FORGED"));
    expect(Object.keys((await scratch.record("vol1"))["Snapshots"] as object)).toEqual(["snap1", "far", "forged"]);
    await driver.deleteSnapshot!("vol1", "snap1", operation());
    expect(existsSync(archive)).toBe(false);
  });
});

describe("R11 the share that is not there", () => {
  test("a remembered tree that is replaced by an empty directory is unreachable, until it is said that it is meant", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1"), operation());
    await rename(scratch.volumes, scratch.at("away"));
    await mkdir(scratch.volumes);
    await expect(driver.create(spec("vol2"), operation())).rejects.toEqual(code("UNREACHABLE"));
    await expect(driver.get("vol1")).rejects.toEqual(code("UNREACHABLE"));
    await expect(driver.mount("vol1", byHand)).rejects.toEqual(code("UNREACHABLE"));
    expect(await readdir(scratch.volumes)).toEqual([]);
    await rm(scratch.volumes, { recursive: true });
    await expect(driver.create(spec("vol2"), operation())).rejects.toEqual(code("UNREACHABLE"));
    const meant = await scratch.driver("root", { initStore: true });
    await mkdir(scratch.volumes);
    await meant.create(spec("vol2"), operation());
    expect((await meant.list()).map((volume) => volume.name)).toEqual(["vol2"]);
  });

  test("another tree in this place is refused, and both are remembered once meant", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("one"), operation());
    await rename(scratch.volumes, scratch.at("disk1"));
    const foreign = await scratch.driver("other");
    await mkdir(scratch.volumes, { recursive: true });
    await foreign.create(spec("two"), operation());
    await expect(driver.create(spec("three"), operation())).rejects.toEqual(code("MARKER_MISMATCH"));
    const meant = await scratch.driver("root", { initStore: true });
    await meant.create(spec("three"), operation());
    await rename(scratch.volumes, scratch.at("disk2"));
    await rename(scratch.at("disk1"), scratch.volumes);
    const again = await scratch.driver("root");
    expect((await again.list()).map((volume) => volume.name)).toEqual(["one"]);
    await again.create(spec("four"), operation());
  });

  test("a missing vfs.path is made at the first start only", async () => {
    await scratch.driver();
    expect(existsSync(scratch.volumes)).toBe(true);
    await rm(scratch.volumes, { recursive: true });
    const driver = await scratch.driver();
    expect(existsSync(scratch.volumes)).toBe(false);
    await expect(driver.create(spec("vol1"), operation())).rejects.toEqual(code("UNREACHABLE"));
  });

  test("a taken-over root whose tree has no config/ is not mounted", async () => {
    await mkdir(scratch.volumes);
    const driver = await scratch.driver("root", { takenOver: true });
    await expect(driver.list()).rejects.toEqual(code("UNREACHABLE"));
    await expect(driver.create(spec("vol1"), operation())).rejects.toEqual(code("UNREACHABLE"));
  });
});

describe("R5 open intents", () => {
  test("a create that died before its directory stood in place is undone at the next start", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("warm"), operation());
    const hang = Promise.withResolvers<void>();
    const dead = Promise.withResolvers<never>();
    const restore = {
      ancestorId: "",
      fill: async ({ directory }: { directory: string }) => {
        await writeFile(`${directory}/half`, "half");
        hang.resolve();
        await dead.promise;
      },
    };
    const creation = driver.create(spec("vol1", { restore }), operation()).catch(() => undefined);
    await hang.promise;
    const next = await scratch.driver();
    await expect(next.create(spec("vol1"), operation())).rejects.toMatchObject({
      code: "VOLUME_EXISTS",
      hint: expect.stringContaining("being made"),
    });
    await next.recover(operation());
    expect(await next.get("vol1")).toBeUndefined();
    expect(await readdir(scratch.at("volumes/config/.convoy/new"))).toEqual([]);
    expect(await readdir(scratch.at("volumes/config/.convoy/intents"))).toEqual([]);
    await next.create(spec("vol1"), operation());
    dead.reject(new Error("only to give back its handles"));
    await creation;
    expect(await next.get("vol1")).toBeDefined();
  });

  test("another root's intents are left alone", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1"), operation());
    await driver.createSnapshot!("vol1", "snap", operation());
    const source = await driver.openSource!("vol1", "snap");
    const other = await scratch.driver("other");
    await other.recover(operation());
    await expect(other.delete("vol1", { reference: false }, operation())).rejects.toEqual(code("VOLUME_BUSY"));
    await source.close();
  });

  test("R31: a forged intent of ours cannot name a path", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1"), operation());
    await mkdir(scratch.at("precious"));
    const [marker] = JSON.parse(`[${await readFile(scratch.at("root/.convoy-root.json"), "utf8")}]`) as [
      { ID: string },
    ];
    const ID = "f".repeat(32);
    const forged = {
      ID,
      Root: marker.ID,
      Host: "h",
      Started: "now",
      Operation: "delete",
      Volume: "../precious",
      Details: {},
    };
    await writeFile(scratch.at(`volumes/config/.convoy/intents/${ID}`), JSON.stringify(forged));
    await driver.recover(operation());
    expect(existsSync(scratch.at("precious"))).toBe(true);
  });
});

describe("several roots on one tree", () => {
  test("R9: a foreign root's holder refuses deletion and ends only by --force naming it", async () => {
    const one = await scratch.driver("one");
    const two = await scratch.driver("two");
    await one.create(spec("vol1"), operation());
    await two.mount("vol1", byHand);
    await expect(one.delete("vol1", { reference: false }, operation())).rejects.toEqual(code("VOLUME_MOUNTED"));
    const [holder] = await one.umount("vol1", { ...endByHand, force: true });
    expect(holder).toMatchObject({ kind: "manual" });
    await one.mount("vol1", { mountPoint: "", holder: { kind: "docker", id: "c1" } });
    expect(await one.umount("vol1", { ...endByHand, force: true, forceRoot: holder!.root })).toMatchObject([
      { kind: "docker", id: "c1" },
    ]);
    expect(await one.umount("vol1", { ...endByHand, force: true })).toEqual([]);
    await one.delete("vol1", { reference: false }, operation());
  });

  test("R9: the mount point is set again when an original cleared it while others hold the mount", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1"), operation());
    const place = await driver.mount("vol1", byHand);
    await scratch.writeRecord("vol1", { ...(await scratch.record("vol1")), MountPoint: "" });
    expect((await driver.get("vol1"))!.mountPoint).toBe(place);
    expect((await scratch.record("vol1"))["MountPoint"]).toBe(place);
  });

  test("a listing shows at once what another host changed", async () => {
    const one = await scratch.driver("one");
    const two = await scratch.driver("two");
    for (let i = 0; i < 20; i++) {
      await (i % 2 === 0 ? one : two).create(spec(`vol${i}`), operation());
      expect(await one.list()).toHaveLength(i + 1);
      expect(await two.list()).toHaveLength(i + 1);
    }
    await two.mount("vol0", byHand);
    expect((await one.list())[0]!.mountPoint).not.toBe("");
  });
});

describe("stores", () => {
  test("R26: volumes and records are claimed, other directories are not", async () => {
    const driver = await scratch.driver();
    await driver.create(spec("vol1"), operation());
    expect(await driver.claims!(`${scratch.volumes}/vol1/sub`)).toContain("vol1");
    expect(await driver.claims!(`${scratch.volumes}/config/x`)).toContain("records");
    expect(await driver.claims!(`${scratch.volumes}/vol10`)).toBeUndefined();
    expect(await driver.claims!(scratch.path)).toBeUndefined();
    expect(await driver.claims!(scratch.volumes)).toBeUndefined();
    await driver.create(spec("convoy-objectstore"), operation());
    expect(await driver.claims!(scratch.volumes)).toContain("convoy-objectstore");
  });

  test("R26: a directory that holds backups is not adopted, whatever it is called", async () => {
    const driver = await scratch.driver();
    await mkdir(scratch.at("volumes/plain/convoy-objectstore/volumes"), { recursive: true });
    await mkdir(scratch.at("volumes/convoy-objectstore/volumes"), { recursive: true });
    await expect(driver.create(spec("plain"), operation())).rejects.toEqual(code("NAME_TAKEN"));
    await expect(driver.create(spec("convoy-objectstore"), operation())).rejects.toEqual(code("NAME_TAKEN"));
    expect(existsSync(scratch.at("volumes/plain/convoy-objectstore/volumes"))).toBe(true);
  });
});
