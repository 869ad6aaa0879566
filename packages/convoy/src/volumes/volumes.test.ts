import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BackupEngine, BackupSummary } from "../backups/engine.ts";
import { originalRecord, Scratch } from "../drivers/vfs/harness.ts";
import { silentLog } from "../host/log.ts";
import type { OperationContext } from "../host/operation.ts";
import type { CreateRequest, VolumesApi } from "./api.ts";
import { createVolumes, type VolumesOptions } from "./create-volumes.ts";

const BACKUP = "vfs:///store/?backup=backup-0123456789abcdef&volume=db";

function request(name: string, extra: Partial<CreateRequest> = {}): CreateRequest {
  return { name, driver: "", size: 0, backupUrl: "", endpoint: "", id: "", type: "", iops: 0, vm: false, ...extra };
}

const summary: BackupSummary = {
  name: "backup-0123456789abcdef",
  url: BACKUP,
  volumeName: "db",
  snapshotName: "snap",
  createdTime: "Fri Nov 20 06:50:37 +0000 2026",
  snapshotCreatedTime: "Fri Nov 20 06:50:37 +0000 2026",
  driver: "vfs",
  volumeCreatedTime: "Fri Nov 20 06:50:37 +0000 2026",
  volumeSize: 0,
  volumeId: "",
  snapshotId: "",
};

/** An engine whose restore waits for the test, to look at a daemon in the middle of one. */
function pausedEngine(fill: (directory: string, op: OperationContext) => Promise<void>, driver = "vfs"): BackupEngine {
  const refuse = () => Promise.reject(new Error("not part of this test"));
  return {
    create: refuse,
    list: refuse,
    inspect: refuse,
    delete: refuse,
    openRestore: () =>
      Promise.resolve({
        summary: { ...summary, driver },
        fill: (target, op) => fill(target.directory, op),
        close: () => Promise.resolve(),
      }),
  };
}

let scratch: Scratch;
const servers: Server[] = [];

beforeEach(async () => {
  scratch = await Scratch.make();
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await scratch.remove();
});

async function open(extra: Partial<VolumesOptions> & { takenOver?: boolean } = {}): Promise<VolumesApi> {
  const driver = await scratch.driver("root", { takenOver: extra.takenOver ?? false });
  return createVolumes({
    drivers: [driver],
    engine: pausedEngine(() => Promise.resolve()),
    log: silentLog(),
    dockerRemove: new Map(),
    dockerSocket: scratch.at("docker.sock"),
    ...extra,
  });
}

const code = (value: string) => expect.objectContaining({ code: value });

describe("names", () => {
  test.each(["a", "a/../../evil", "../evil", "-lead", "bad name!", ".hidden", "x\n", "config", "n".repeat(128)])(
    "names never validated on create: %j is refused and nothing is made",
    async (name) => {
      const volumes = await open();
      await expect(volumes.create(request(name))).rejects.toMatchObject({
        code: "INVALID_NAME",
        message: `Invalid name ${name}`,
      });
      expect(await readdir(scratch.volumes)).toEqual([]);
      expect(existsSync(scratch.at("evil"))).toBe(false);
    },
  );

  test("without a name one is made up", async () => {
    const volumes = await open();
    expect((await volumes.create(request(""))).volume.name).toMatch(/^volume-[0-9a-f]{16}$/);
  });

  test("a snapshot may have the name of no snapshot and no volume; a volume may have that of a snapshot", async () => {
    const volumes = await open();
    await volumes.create(request("vol1"));
    await volumes.create(request("vol2"));
    await volumes.createSnapshot("vol1", "snap1");
    await expect(volumes.createSnapshot("vol2", "snap1")).rejects.toThrow("Snapshot name snap1 already exists");
    await expect(volumes.createSnapshot("vol2", "vol1")).rejects.toThrow("Snapshot name vol1 already exists");
    await expect(volumes.createSnapshot("vol1", "x")).rejects.toEqual(code("INVALID_NAME"));
    await volumes.create(request("snap1"));
  });

  test("a snapshot name that two volumes have all the same is refused until the volume is given", async () => {
    const volumes = await open();
    await volumes.create(request("warm"));
    for (const name of ["one", "two"]) {
      await mkdir(scratch.at("volumes", name));
      const FilePath = scratch.at("root/vfs/snapshots", `${name}_snap.tar.gz`);
      await mkdir(scratch.at("root/vfs/snapshots"), { recursive: true });
      await writeFile(FilePath, "x");
      const Snapshots = { snap: { Name: "snap", CreatedTime: "then", VolumeUUID: name, FilePath } };
      await scratch.writeRecord(name, originalRecord(name, scratch.volumes, { Snapshots }));
    }
    await expect(volumes.deleteSnapshot("snap")).rejects.toEqual(code("SNAPSHOT_AMBIGUOUS"));
    await volumes.deleteSnapshot("snap", "two");
    expect((await volumes.inspectSnapshot("snap")).volume.name).toBe("one");
  });
});

describe("options that the driver cannot use", () => {
  test("are refused where ignoring them would give wrong data, and warned of otherwise", async () => {
    const volumes = await open();
    await expect(volumes.create(request("vol1", { id: "x" }))).rejects.toEqual(code("UNSUPPORTED"));
    await expect(volumes.create(request("vol1", { endpoint: "http://e" }))).rejects.toThrow(
      "Endpoint option can only be used when creating a volume from a backup.",
    );
    await expect(volumes.create(request("vol1", { endpoint: "http://e", backupUrl: BACKUP }))).rejects.toThrow(
      "Unsupported backup protocol for custom endpoint: vfs. Only s3:// is supported.",
    );
    await expect(volumes.create(request("vol1", { driver: "nosuch" }))).rejects.toThrow("Cannot find driver nosuch");
    expect(await volumes.list()).toEqual([]);
    const { warnings } = await volumes.create(request("vol1", { size: 1 << 30, type: "gp2", iops: 5 }));
    expect(warnings).toEqual([
      "size has no effect with driver vfs",
      "type has no effect with driver vfs",
      "iops has no effect with driver vfs",
    ]);
  });

  test("a backup of another driver is refused with the text of v0.5.2", async () => {
    const volumes = await open({ engine: pausedEngine(() => Promise.resolve(), "devicemapper") });
    await expect(volumes.create(request("vol1", { backupUrl: BACKUP }))).rejects.toThrow(
      "Cannot restore backup of devicemapper to vfs",
    );
    expect(await volumes.find("vol1")).toBeUndefined();
  });
});

describe("R13 Docker's create", () => {
  test("an equal request joins the running one, a different one is told, a plain one loses", async () => {
    const started = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    let fills = 0;
    const volumes = await open({
      engine: pausedEngine(async (directory) => {
        fills += 1;
        started.resolve();
        await finish.promise;
        await writeFile(`${directory}/file`, "restored");
      }),
    });
    const wanted = request("vol1", { backupUrl: BACKUP });
    const first = volumes.createForDocker(wanted);
    await started.promise;
    const second = volumes.createForDocker({ ...wanted });
    await expect(volumes.createForDocker(request("vol1"))).rejects.toEqual(code("OPERATION_RUNNING"));
    await expect(volumes.create(wanted)).rejects.toEqual(code("VOLUME_EXISTS"));
    expect(await volumes.find("vol1")).toBeUndefined();
    await volumes.create(request("other"));
    finish.resolve();
    expect((await first).volume.name).toBe("vol1");
    expect((await second).volume.name).toBe("vol1");
    expect(fills).toBe(1);
    expect((await volumes.createForDocker(request("vol1"))).volume.name).toBe("vol1");
  });

  test("a create that takes too long is answered, goes on, and the same create succeeds later", async () => {
    const finish = Promise.withResolvers<void>();
    const volumes = await open({ engine: pausedEngine(() => finish.promise), dockerLimitMs: 50 });
    const wanted = request("vol1", { backupUrl: BACKUP });
    await expect(volumes.createForDocker(wanted)).rejects.toMatchObject({
      code: "OPERATION_RUNNING",
      message: expect.stringContaining("still being created"),
    });
    expect(await volumes.find("vol1")).toBeUndefined();
    finish.resolve();
    const again = () =>
      volumes.createForDocker(wanted).then(
        ({ volume }) => volume.name,
        (error: { code: string }) => error.code,
      );
    await expect.poll(again, { timeout: 20_000 }).toBe("vol1");
  });
});

describe("Docker's remove", () => {
  test("is reference-only by default on vfs, deletes when told to, and succeeds for an unknown volume", async () => {
    const volumes = await open();
    await volumes.create(request("vol1"));
    await volumes.removeForDocker("vol1");
    await volumes.removeForDocker("vol1");
    expect((await volumes.listDetached()).map((volume) => volume.name)).toEqual(["vol1"]);
    const deleting = await open({ dockerRemove: new Map([["vfs", "delete"]]) });
    await deleting.create(request("vol2"));
    await deleting.removeForDocker("vol2");
    expect((await deleting.listDetached()).map((volume) => volume.name)).toEqual(["vol1"]);
    expect(existsSync(scratch.at("volumes/vol2"))).toBe(false);
  });
});

describe("R9 umount by hand", () => {
  test("fails and names who remains, while the mount stays", async () => {
    const volumes = await open();
    await volumes.create(request("vol1"));
    await volumes.mount("vol1", "");
    const place = await volumes.mountForDocker("vol1", "c0ffee".padEnd(64, "0"));
    await expect(volumes.umount("vol1", { force: false, forceRoot: "" })).rejects.toMatchObject({
      code: "STILL_HELD",
      message: expect.stringContaining("Docker c0ffee"),
    });
    expect((await volumes.inspect("vol1")).mountPoint).toBe(place);
    await volumes.umount("vol1", { force: true, forceRoot: "" });
    expect((await volumes.inspect("vol1")).mountPoint).toBe("");
    await volumes.umount("vol1", { force: false, forceRoot: "" });
  });
});

describe("R9 the legacy holder", () => {
  async function docker(containers: object[]): Promise<string[]> {
    const asked: string[] = [];
    const server = createServer((incoming, response) => {
      asked.push(incoming.url ?? "");
      response.end(JSON.stringify(containers));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(scratch.at("docker.sock"), resolve));
    return asked;
  }

  async function takenOver(): Promise<VolumesApi> {
    await mkdir(scratch.at("volumes/vol1"), { recursive: true });
    const MountPoint = `${scratch.volumes}/vol1`;
    await scratch.writeRecord("vol1", originalRecord("vol1", scratch.volumes, { MountPoint }));
    return open({ takenOver: true });
  }

  test("ends after Docker's unmount once no running container uses the volume", async () => {
    const asked = await docker([]);
    const volumes = await takenOver();
    await volumes.umountForDocker("vol1", "unknown");
    await expect.poll(async () => (await volumes.inspect("vol1")).holders, { timeout: 20_000 }).toEqual([]);
    expect(decodeURIComponent(asked[0]!)).toContain('"volume":["vol1"]');
  });

  test("stays while a container runs, and when Docker does not answer", async () => {
    const asked = await docker([{ Id: "c1" }]);
    const volumes = await takenOver();
    await volumes.umountForDocker("vol1", "unknown");
    await expect.poll(() => asked.length, { timeout: 20_000 }).toBe(1);
    expect((await volumes.inspect("vol1")).holders).toMatchObject([{ kind: "legacy" }]);
  });
});

describe("a stop of the daemon", () => {
  test("cancels what can be undone, leaves nothing half-made and refuses new work", async () => {
    const started = Promise.withResolvers<void>();
    const volumes = await open({
      engine: pausedEngine(async (directory, op) => {
        await writeFile(`${directory}/half`, "half");
        started.resolve();
        await new Promise((_, reject) => op.signal.addEventListener("abort", () => reject(op.signal.reason)));
      }),
    });
    const restore = volumes.create(request("vol1", { backupUrl: BACKUP }));
    const outcome = expect(restore).rejects.toEqual(code("CANCELLED"));
    await started.promise;
    await volumes.shutdown(10_000);
    await outcome;
    expect(await readdir(scratch.at("volumes/config/.convoy/new"))).toEqual([]);
    expect(await readdir(scratch.at("volumes/config/.convoy/intents"))).toEqual([]);
    await expect(volumes.create(request("vol2"))).rejects.toEqual(code("SHUTTING_DOWN"));
  });
});
