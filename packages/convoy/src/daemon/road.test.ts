import { mkdir, readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DaemonLab, type DaemonProcess } from "./testing/daemon-process.ts";

/** Requests and texts recorded from v0.5.2, asked of a real daemon with the vfs driver. */
let lab: DaemonLab;
let daemon: DaemonProcess;

beforeAll(async () => {
  lab = await DaemonLab.create();
  await mkdir(lab.path("backups"));
  daemon = await lab.start();
});
afterAll(() => lab.close());

const text = async (method: string, path: string, body?: unknown) => (await daemon.call(method, path, body)).body;
const record = async (method: string, path: string, body?: unknown) => JSON.parse(await text(method, path, body));

test("the whole road: write, snapshot, back up, restore, read the same bytes", async () => {
  expect(await text("POST", "/v1/volumes/create", { Name: "vol1" })).toBe("vol1");
  expect(await text("POST", "/v1/volumes/mount", { VolumeName: "vol1" })).toBe(lab.path("volumes/vol1"));
  await writeFile(lab.path("volumes/vol1/data"), "what was acknowledged");
  expect(await text("POST", "/v1/snapshots/create", { VolumeName: "vol1", Name: "snap1" })).toBe("snap1");
  const destination = `vfs://${lab.path("backups")}`;
  const request = { SnapshotName: "snap1", URL: destination, Verbose: true };
  const { URL: url } = await record("POST", "/v1/backups/create", request);
  expect(url).toMatch(/\?backup=backup-[0-9a-f]{16}&volume=vol1$/);
  const list = await record("GET", "/v1/backups/list", { URL: destination });
  expect(Object.values(list)).toEqual([expect.objectContaining({ VolumeName: "vol1", SnapshotUUID: "snap1" })]);
  expect(await text("POST", "/v1/volumes/create", { Name: "res1", BackupURL: url })).toBe("res1");
  expect(await readFile(lab.path("volumes/res1/data"), "utf8")).toBe("what was acknowledged");
  expect(await text("POST", "/v1/volumes/umount", { VolumeName: "vol1" })).toBe("");
  expect(await text("DELETE", "/v1/backups", { URL: url })).toBe("");
  expect(await text("DELETE", "/v1/snapshots/", { SnapshotName: "snap1" })).toBe("");
  expect(await text("DELETE", "/v1/volumes/", { VolumeName: "res1" })).toBe("");
});

test.each([
  ["GET", "/v1/volumes/", { VolumeName: "nosuch" }, 404, "Volume not found.\n"],
  ["DELETE", "/v1/volumes/", { VolumeName: "nosuch" }, 404, "Volume not found.\n"],
  ["POST", "/v1/volumes/mount", { VolumeName: "nosuch" }, 400, "volume nosuch doesn't exist\n"],
  ["POST", "/v1/volumes/umount", { VolumeName: "nosuch" }, 400, "volume nosuch doesn't exist\n"],
  ["POST", "/v1/volumes/create", { Name: "vol1" }, 400, "Volume vol1 already exists \n"],
  ["GET", "/v1/volumes/", { VolumeName: "x!" }, 400, "Invalid name x!\n"],
  ["POST", "/v1/volumes/create", { Name: "v5", DriverName: "nosuch" }, 400, "Cannot find driver nosuch\n"],
  [
    "POST",
    "/v1/volumes/create",
    { Name: "v5", Endpoint: "http://e" },
    400,
    "Endpoint option can only be used when creating a volume from a backup.\n",
  ],
  ["POST", "/v1/snapshots/create", { VolumeName: "nosuch" }, 400, "volume nosuch doesn't exist\n"],
  ["GET", "/v1/snapshots/", { SnapshotName: "nosuch" }, 400, "cannot find volume for snapshot nosuch\n"],
  ["DELETE", "/v1/snapshots/", { SnapshotName: "nosuch" }, 400, "cannot find volume for snapshot nosuch\n"],
  [
    "POST",
    "/v1/backups/create",
    { SnapshotName: "nosuch", URL: "vfs:///opt/backup" },
    400,
    "Cannot find volume of snapshot nosuch\n",
  ],
  [
    "GET",
    "/v1/backups/list",
    { URL: "vfs:///nosuch-store" },
    400,
    "VFS path /nosuch-store doesn't exist or is not a directory\n",
  ],
  ["GET", "/v1/backups/list", {}, 400, "Destination URL hasn't been specified\n"],
  ["GET", "/v1/backups/list", { URL: "nosuch:///x" }, 400, "Driver nosuch is not supported!\n"],
])("%s %s %j answers %d as v0.5.2 did", async (method, path, body, status, message) => {
  expect(await daemon.call(method, path, body)).toEqual({ status, body: message });
});

test.each(["nonsense", "%zz", "nosuch:///x?backup=backup-1&volume=vol1", ""])(
  "the backup URL '%s' is refused with 400, and nothing is made or deleted",
  async (url) => {
    if (url !== "") {
      expect((await daemon.call("POST", "/v1/volumes/create", { Name: "v5", BackupURL: url })).status).toBe(400);
    }
    expect((await daemon.call("GET", "/v1/backups/inspect", { URL: url })).status).toBe(400);
    expect((await daemon.call("DELETE", "/v1/backups", { URL: url })).status).toBe(400);
    expect((await daemon.call("GET", "/v1/volumes/", { VolumeName: "v5" })).status).toBe(404);
  },
);

test("DEFECT two winners among simultaneous creates: exactly one wins, always", async () => {
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => daemon.call("POST", "/v1/volumes/create", { Name: "race1" })),
  );
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(answers.filter(({ body }) => body === "Volume race1 already exists \n")).toHaveLength(7);
});

test("DEFECT names never validated on create, and path traversal: nothing is made", async () => {
  for (const Name of ["a", "bad name!", "-lead", "a/../../evil", "config"]) {
    expect((await daemon.call("POST", "/v1/volumes/create", { Name })).status).toBe(400);
  }
  expect(Object.keys(await record("GET", "/v1/volumes/list"))).toEqual(["race1", "vol1"]);
});

test("Docker's calls on the real driver: two containers, and the volume stays mounted until both are gone", async () => {
  const post = (name: string, body: unknown) => record("POST", `/VolumeDriver.${name}`, body);
  expect(await post("Create", { Name: "dv1", Opts: { mode: "0770" } })).toEqual({});
  for (const ID of ["aaaa", "bbbb"]) {
    expect(await post("Mount", { Name: "dv1", ID })).toEqual({ Mountpoint: lab.path("volumes/dv1") });
  }
  expect(await post("Unmount", { Name: "dv1", ID: "aaaa" })).toEqual({});
  expect((await post("Remove", { Name: "dv1" })).Err).toContain("Cannot delete volume dv1. It is still mounted");
  const { Volume } = await post("Get", { Name: "dv1" });
  expect(Volume.Status.Holders).toEqual([expect.objectContaining({ Kind: "docker", ID: "bbbb" })]);
  expect(Volume.CreatedAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(await post("Unmount", { Name: "dv1", ID: "bbbb" })).toEqual({});
  expect(await post("Remove", { Name: "dv1" })).toEqual({});
  expect(await post("Get", { Name: "dv1" })).toEqual({ Err: "Could not find volume dv1." });
});
