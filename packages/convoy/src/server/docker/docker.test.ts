import { afterEach, expect, test, vi } from "vitest";
import { ConvoyError } from "../../errors.ts";
import { silentLog } from "../../host/log.ts";
import { FakeVolumes, fakeVolume, TIME } from "../testing/fake-volumes.ts";
import { RunningServer } from "../testing/running-server.ts";
import { DockerMounts } from "./mounts.ts";
import type { DockerSettings } from "./routes.ts";

let server: RunningServer | undefined;
afterEach(() => server?.stop());

async function start(settings: Partial<DockerSettings> = {}) {
  const volumes = new FakeVolumes();
  server = await RunningServer.start(volumes, settings);
  return volumes;
}

/** Docker sends an empty Host, no content type, and POST. */
async function post(name: string, body?: unknown): Promise<Record<string, unknown>> {
  const headers = { Host: "", Accept: "application/vnd.docker.plugins.v1.2+json" };
  const answer = await server!.call("POST", `/${name}`, body, headers);
  expect(answer.status).toBe(200);
  expect(answer.headers["content-type"]).toBe("application/vnd.docker.plugins.v1.2+json");
  return JSON.parse(answer.body) as Record<string, unknown>;
}

test("a volume's life as Docker drives it", async () => {
  await start();
  expect(await post("Plugin.Activate")).toEqual({ Implements: ["VolumeDriver"] });
  expect(await post("VolumeDriver.Capabilities", {})).toEqual({ Capabilities: { Scope: "local" } });
  expect(await post("VolumeDriver.List")).toEqual({ Volumes: [] });
  expect(await post("VolumeDriver.Get", { Name: "dv1" })).toEqual({ Err: "Could not find volume dv1." });
  expect(await post("VolumeDriver.Create", { Name: "dv1", Opts: {} })).toEqual({});
  expect(await post("VolumeDriver.Create", { Name: "dv1", Opts: null })).toEqual({});
  expect(await post("VolumeDriver.Path", { Name: "dv1" })).toEqual({});
  expect(await post("VolumeDriver.Mount", { Name: "dv1", ID: "aaaa" })).toEqual({ Mountpoint: "/srv/vfs/dv1" });
  expect(await post("VolumeDriver.Mount", { Name: "dv1", ID: "bbbb" })).toEqual({ Mountpoint: "/srv/vfs/dv1" });
  expect(await post("VolumeDriver.Path", { Name: "dv1" })).toEqual({ Mountpoint: "/srv/vfs/dv1" });
  expect(await post("VolumeDriver.Remove", { Name: "dv1" })).toEqual({
    Err: "Cannot delete volume dv1. It is still mounted",
  });
  expect(await post("VolumeDriver.Unmount", { Name: "dv1", ID: "aaaa" })).toEqual({});
  expect(await post("VolumeDriver.List", {})).toEqual({
    Volumes: [{ Name: "dv1", Mountpoint: "/srv/vfs/dv1", CreatedAt: "2026-11-20T06:54:19Z" }],
  });
  expect(await post("VolumeDriver.Unmount", { Name: "dv1", ID: "bbbb" })).toEqual({});
  expect(await post("VolumeDriver.Remove", { Name: "dv1" })).toEqual({});
  expect(await post("VolumeDriver.Remove", { Name: "dv1" })).toEqual({});
  expect(await post("VolumeDriver.Unmount", { Name: "dv1", ID: "x" })).toEqual({});
  expect(await post("VolumeDriver.Mount", { Name: "dv1", ID: "x" })).toEqual({ Err: "Couldn't find volume." });
  expect(await post("VolumeDriver.Path", { Name: "dv1" })).toEqual({ Err: "Couldn't find volume." });
});

test("Get tells creation time, driver, size, snapshots, holders and what is wrong", async () => {
  const volumes = await start();
  volumes.volumes.set("dv1", { ...fakeVolume("dv1"), size: 1024, problem: "its record is damaged" });
  await volumes.createSnapshot("dv1", "s1");
  await volumes.mountForDocker("dv1", "aaaa");
  expect(await post("VolumeDriver.Get", { Name: "dv1" })).toEqual({
    Volume: {
      Name: "dv1",
      Mountpoint: "/srv/vfs/dv1",
      CreatedAt: "2026-11-20T06:54:19Z",
      Status: {
        Driver: "vfs",
        Size: "1024",
        Snapshots: ["s1"],
        Holders: [{ Kind: "docker", Root: "r", Host: "h", ID: "aaaa", Since: TIME }],
        Problem: "its record is damaged",
      },
    },
  });
});

test("every option of Create reaches the volumes", async () => {
  const volumes = await start();
  const opts = {
    size: "10M",
    vm: "true",
    driver: "vfs",
    id: "q",
    type: "t",
    iops: "7",
    backup: "vfs:///b?backup=b\\u0026volume=v",
    endpoint: "http://e",
    uid: "1000",
    gid: "0",
    mode: "0770",
  };
  expect(await post("VolumeDriver.Create", { Name: "dv3", Opts: opts })).toEqual({});
  expect(volumes.calls).toEqual([
    [
      "create",
      {
        name: "dv3",
        driver: "vfs",
        size: 10 << 20,
        backupUrl: "vfs:///b?backup=b&volume=v",
        endpoint: "http://e",
        id: "q",
        type: "t",
        iops: 7,
        vm: true,
        uid: 1000,
        gid: 0,
        mode: "0770",
      },
    ],
  ]);
});

test.each([
  [{ size: "zz" }, "Invalid option size=zz"],
  [{ size: "99999999999T" }, "Invalid option size=99999999999T"],
  [{ iops: "zz" }, "Invalid option iops=zz"],
  [{ vm: "zz" }, "Invalid option vm=zz: true or false"],
  [{ uid: "4294967295" }, "Invalid option uid=4294967295"],
  [{ mode: "9" }, "Invalid option mode=9"],
  [{ backup: "" }, "Invalid option backup=: the value must not be empty. If it comes from another command"],
  [{ backup: "vfs:///b?backup=b&volume=v", endpoint: "" }, "Invalid option endpoint=: the value must not be empty"],
  [{ id: "" }, "Invalid option id=: the value must not be empty"],
  [{ Size: "1" }, "Unknown option Size; known are size, driver, backup"],
  [{ "s3-endpoint": "x" }, "Unknown option s3-endpoint; known are"],
  [{ size: 10 }, "Opts.size must be a text in quotes, not 10"],
])("DEFECT options silently ignored: %j is refused by name and nothing is created", async (Opts, message) => {
  const volumes = await start();
  expect((await post("VolumeDriver.Create", { Name: "dv2", Opts }))["Err"]).toContain(message);
  expect(volumes.volumes.size).toBe(0);
});

test("Create of an existing volume succeeds whatever its options, as in v0.5.2", async () => {
  const volumes = await start();
  volumes.volumes.set("dv1", fakeVolume("dv1"));
  expect(await post("VolumeDriver.Create", { Name: "dv1", Opts: { size: "zz" } })).toEqual({});
});

test.each(["x!", "a", "", "../evil"])("Create refuses the name '%s' with the text of v0.5.2", async (name) => {
  const volumes = await start();
  expect(await post("VolumeDriver.Create", { Name: name, Opts: {} })).toEqual({
    Err: `Invalid volume name ${name}. Can only contain 0-9, a-z, dash(-), underscore(_) and dot(.)`,
  });
  expect(volumes.volumes.size).toBe(0);
});

test.each(["{bad", "", "[]"])("a body like '%s' is an Err with status 200", async (body) => {
  await start();
  expect((await post("VolumeDriver.Create", body))["Err"]).toMatch(/request body|no body/);
});

test("--ignore-docker-delete: Remove always succeeds and removes nothing", async () => {
  const volumes = await start({ ignoreDelete: true });
  volumes.volumes.set("dv1", fakeVolume("dv1"));
  expect(await post("VolumeDriver.Remove", { Name: "dv1" })).toEqual({});
  expect(await post("VolumeDriver.Remove")).toEqual({});
  expect(volumes.volumes.has("dv1")).toBe(true);
});

test("--create-on-docker-mount: Mount of an unknown valid name creates it", async () => {
  const volumes = await start({ createOnMount: true });
  expect(await post("VolumeDriver.Mount", { Name: "cm1", ID: "a" })).toEqual({ Mountpoint: "/srv/vfs/cm1" });
  expect((await post("VolumeDriver.Mount", { Name: "x!", ID: "a" }))["Err"]).toContain("Invalid volume name x!");
  expect([...volumes.volumes.keys()]).toEqual(["cm1"]);
});

test("--docker-scope global is told to the engine", async () => {
  await start({ scope: "global" });
  expect(await post("VolumeDriver.Capabilities")).toEqual({ Capabilities: { Scope: "global" } });
});

test("R13: what to do about a creation that takes long stands in Err, which is all that Docker shows", async () => {
  const volumes = await start();
  volumes.failure = new ConvoyError("OPERATION_RUNNING", "Volume dv1 is still being created", {
    hint: "Repeat later.",
  });
  expect(await post("VolumeDriver.Create", { Name: "dv1" })).toEqual({
    Err: "Volume dv1 is still being created. Repeat later.",
  });
});

test("a message that ends with a full stop gets no second one before the hint", async () => {
  const volumes = await start();
  volumes.failure = new ConvoyError("VOLUME_BUSY", "The volume is busy.", { hint: "Wait." });
  expect(await post("VolumeDriver.Create", { Name: "dv1" })).toEqual({ Err: "The volume is busy. Wait." });
});

test("a crash inside a handler is an Err, and the daemon lives on", async () => {
  const volumes = await start();
  volumes.failure = new TypeError("x is not a function");
  expect(await post("VolumeDriver.List")).toEqual({
    Err: "Internal error: x is not a function. The daemon's log has more about it.",
  });
  volumes.failure = undefined;
  expect(await post("VolumeDriver.List")).toEqual({ Volumes: [] });
});

/** Volumes whose mounts end only when `finish` is called. */
function slowVolumes() {
  const volumes = new FakeVolumes();
  volumes.volumes.set("dv1", fakeVolume("dv1"));
  const mountForDocker = vi.spyOn(volumes, "mountForDocker");
  const original = FakeVolumes.prototype.mountForDocker.bind(volumes);
  let finish = () => {};
  const gate = new Promise<void>((resolve) => {
    finish = resolve;
  });
  mountForDocker.mockImplementation(async (name, id) => {
    await gate;
    return original(name, id);
  });
  return { volumes, mountForDocker, finish };
}

test("R13: a repeated Mount joins the running one", async () => {
  const { volumes, mountForDocker, finish } = slowVolumes();
  const mounts = new DockerMounts(volumes, silentLog());
  const both = [mounts.mount("dv1", "aaaa"), mounts.mount("dv1", "aaaa")];
  finish();
  expect(await Promise.all(both)).toEqual(["/srv/vfs/dv1", "/srv/vfs/dv1"]);
  expect(mountForDocker).toHaveBeenCalledTimes(1);
  expect(volumes.volumes.get("dv1")!.holders).toHaveLength(1);
});

test("R13: a Mount that outlasts Docker's patience is an error and leaves no holder behind", async () => {
  const { volumes, finish } = slowVolumes();
  const umounted = vi.spyOn(volumes, "umountForDocker");
  const mounts = new DockerMounts(volumes, silentLog(), 1);
  await expect(mounts.mount("dv1", "aaaa")).rejects.toThrow(/Mounting volume dv1 still runs/);
  finish();
  await vi.waitFor(() => expect(umounted).toHaveBeenCalledWith("dv1", "aaaa"));
  expect(volumes.volumes.get("dv1")!.holders).toEqual([]);
});
