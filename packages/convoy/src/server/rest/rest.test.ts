import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ConvoyError } from "../../errors.ts";
import { FakeVolumes, fakeVolume, TIME } from "../testing/fake-volumes.ts";
import { RunningServer } from "../testing/running-server.ts";

let volumes: FakeVolumes;
let server: RunningServer;

beforeEach(async () => {
  volumes = new FakeVolumes();
  server = await RunningServer.start(volumes);
});
afterEach(() => server.stop());

const RECORD = `{
	"Name": "vol2",
	"Driver": "vfs",
	"MountPoint": "",
	"CreatedTime": "${TIME}",
	"DriverInfo": {
		"Driver": "vfs",
		"MountPoint": "",
		"Path": "/srv/vfs/vol2",
		"PrepareForVM": "false",
		"Size": "0",
		"VolumeCreatedAt": "${TIME}",
		"VolumeName": "vol2"
	},
	"Snapshots": {}
}`;

describe("answers of v0.5.2, byte for byte", () => {
  test("info is put together with an outermost level that is not indented", async () => {
    const { body, headers } = await server.call("GET", "/v1/info", "null");
    expect(headers["content-type"]).toBe("application/json");
    expect(body).toBe(`{
"General": {
	"Root": "/root",
	"DriverList": [
		"vfs"
	],
	"DefaultDriver": "vfs",
	"MountNamespaceFD": "",
	"IgnoreDockerDelete": false,
	"CreateOnDockerMount": false,
	"CmdTimeout": ""
},
"vfs": {
	"DefaultVolumeSize": "107374182400",
	"Path": "/srv/vfs",
	"Root": "/root/vfs"
}
}`);
  });

  test("volumes: create answers the bare name, verbose the record; inspect and list answer records", async () => {
    const named = await server.call("POST", "/v1/volumes/create", { Name: "vol1" });
    expect(named).toMatchObject({
      status: 200,
      body: "vol1",
      headers: { "content-type": "text/plain; charset=utf-8" },
    });
    expect((await server.call("POST", "/v1/volumes/create", { Name: "vol2", Verbose: true })).body).toBe(RECORD);
    expect((await server.call("GET", "/v1/volumes/", { VolumeName: "vol2" })).body).toBe(RECORD);
    const list = (await server.call("GET", "/v1/volumes/list", "null")).body;
    expect(list).toContain(`,\n\t"vol2": ${RECORD.replaceAll("\n", "\n\t")}\n}`);
    const infos = JSON.parse((await server.call("GET", "/v1/volumes/list?driver=1")).body);
    expect(infos.vol1).toEqual({ ...fakeVolume("vol1").info, Driver: "vfs" });
    expect((await server.call("GET", "/v1/volumes/list?driver=0")).body).toBe(list);
  });

  test("an empty list is {}", async () => {
    expect((await server.call("GET", "/v1/volumes/list")).body).toBe("{}");
  });

  test("mount answers the path, verbose a full record; umount and its alias an empty body", async () => {
    await server.call("POST", "/volumes/create", { Name: "vol1" });
    expect((await server.call("POST", "/v1/volumes/mount", { VolumeName: "vol1" })).body).toBe("/srv/vfs/vol1");
    const verbose = await server.call("POST", "/v1/volumes/mount", { VolumeName: "vol1", Verbose: true });
    expect(JSON.parse(verbose.body)).toMatchObject({ Name: "vol1", Driver: "vfs", MountPoint: "/srv/vfs/vol1" });
    const umounted = await server.call("POST", "/v1/volumes/umount", { VolumeName: "vol1" });
    expect(umounted).toMatchObject({ status: 200, body: "", headers: { "content-length": "0" } });
    expect(umounted.headers["content-type"]).toBeUndefined();
    expect((await server.call("POST", "/v1/volumes/unmount", { VolumeName: "vol1" })).status).toBe(200);
  });

  test("snapshots: VolumeCreatedAt only in inspect, VolumeName not inside a volume", async () => {
    await server.call("POST", "/v1/volumes/create", { Name: "vol1" });
    expect((await server.call("POST", "/v1/snapshots/create", { VolumeName: "vol1", Name: "snap1" })).body).toBe(
      "snap1",
    );
    const created = await server.call("POST", "/v1/snapshots/create", {
      VolumeName: "vol1",
      Name: "snap2",
      Verbose: true,
    });
    expect(created.body).toBe(`{
	"Name": "snap2",
	"VolumeName": "vol1",
	"CreatedTime": "${TIME}",
	"DriverInfo": {
		"Driver": "vfs",
		"FilePath": "/s/vol1_snap2",
		"SnapshotCreatedAt": "${TIME}",
		"SnapshotName": "snap2",
		"VolumeUUID": "vol1"
	}
}`);
    const inspected = await server.call("GET", "/v1/snapshots/", { SnapshotName: "snap1" });
    expect(Object.keys(JSON.parse(inspected.body))).toEqual([
      "Name",
      "VolumeName",
      "VolumeCreatedAt",
      "CreatedTime",
      "DriverInfo",
    ]);
    const volume = JSON.parse((await server.call("GET", "/v1/volumes/", { VolumeName: "vol1" })).body);
    expect(Object.keys(volume.Snapshots.snap1)).toEqual(["Name", "CreatedTime", "DriverInfo"]);
    expect((await server.call("DELETE", "/v1/snapshots/", { SnapshotName: "snap1" })).body).toBe("");
  });

  test("backups: the first & of a bare URL is six characters; records are sorted and carry the UUIDs", async () => {
    const request = { SnapshotName: "snap1", URL: "vfs:///opt/backup" };
    const bare = "vfs:///opt/backup?backup=backup-3af6f90a72b04ad8\\u0026volume=vol1";
    expect((await server.call("POST", "/v1/backups/create", request)).body).toBe(bare);
    const verbose = await server.call("POST", "/v1/backups/create", { ...request, Verbose: true });
    expect(verbose.body).toBe(`{\n\t"URL": "${bare}"\n}`);
    const inspected = (await server.call("GET", "/v1/backups/inspect", { URL: "vfs:///x?backup=b&volume=v" })).body;
    expect(inspected).toBe(`{
	"BackupName": "backup-3af6f90a72b04ad8",
	"BackupURL": "${bare}",
	"BackupUUID": "backup-3af6f90a72b04ad8",
	"CreatedTime": "${TIME}",
	"DriverName": "vfs",
	"SnapshotCreatedAt": "${TIME}",
	"SnapshotName": "snap1",
	"SnapshotUUID": "snap1",
	"VolumeCreatedAt": "${TIME}",
	"VolumeName": "vol1",
	"VolumeSize": "0",
	"VolumeUUID": "vol1"
}`);
    const list = await server.call("GET", "/v1/backups/list", { URL: "vfs:///opt/backup" });
    expect(Object.keys(JSON.parse(list.body))).toEqual([
      "vfs:///opt/backup?backup=backup-3af6f90a72b04ad8&volume=vol1",
      "vfs:///opt/backup?backup=backup-9c779569ad914505&volume=vol1",
    ]);
  });
});

describe("requests", () => {
  test("fields come from the query string when there is no body", async () => {
    const created = await server.call("POST", "/v1/volumes/create?Name=q1&size=42&verbose=true&UID=7");
    expect(created.status).toBe(200);
    expect(volumes.calls[0]).toEqual(["create", expect.objectContaining({ name: "q1", size: 42, uid: 7 })]);
    expect((await server.call("GET", "/volumes?VolumeName=q1")).status).toBe(200);
  });

  test("names in any letter case, unknown fields and text after the object are fine; null counts as missing", async () => {
    const body = '{"name": "lower1", "Nosuch": 1.5, "SIZE": null, "iops": 3} trailing';
    expect((await server.call("POST", "/v1/volumes/create", body)).body).toBe("lower1");
    expect(volumes.calls[0]).toEqual(["create", expect.objectContaining({ size: 0, iops: 3 })]);
    expect((await server.call("POST", "/v1/volumes/create", "null")).body).toBe("volume-0123456789abcdef");
  });

  test.each([
    ['{"Size": "10G"}', 'Size must be a whole number from 0 to 9007199254740991, not "10G"'],
    ['{"Size": 1.5}', "Size must be a whole number from 0 to 9007199254740991, not 1.5"],
    ['{"Size": 1e3}', "Size must be a whole number from 0 to 9007199254740991, not 1e3"],
    ['{"Size": -1}', "Size must be a whole number from 0 to 9007199254740991, not -1"],
    ['{"Size": 9007199254740993}', "Size must be a whole number from 0 to 9007199254740991, not 9007199254740992"],
    ['{"PrepareForVM": "true"}', 'PrepareForVM must be true or false, not "true"'],
    ['{"Name": 7}', "Name must be a text in quotes, not 7"],
    ['{"Mode": "rwx"}', 'Mode must be a text of the form ^[0-7]{3,4}$, not "rwx"'],
    ["[]", "The request body must be a JSON object, not an array"],
    ["{bad", "The request body is not valid JSON"],
    ['{"Name": "x"', "The request body is not valid JSON"],
  ])("a bad body is refused by name: %s", async (body, message) => {
    const answer = await server.call("POST", "/v1/volumes/create", body);
    expect(answer.status).toBe(400);
    expect(answer.body).toContain(message);
    expect(volumes.volumes.size).toBe(0);
  });

  test("neither body nor query on a route that needs fields is refused with their names", async () => {
    const answer = await server.call("GET", "/v1/volumes/");
    expect(answer.status).toBe(400);
    expect(answer.body).toContain("VolumeName");
  });

  test("a body above one MiB is refused and the server lives on", async () => {
    const answer = await server.call("POST", "/v1/volumes/create", `{"Name": "${"x".repeat(1 << 20)}"}`);
    expect(answer).toMatchObject({ status: 400, headers: { connection: "close" } });
    expect((await server.call("GET", "/healthz")).body).toBe("ok");
  });

  test("DEFECT u0026 in a path: the escape is undone in the query of a backup URL only", async () => {
    for (const query of ["backup=b\\u0026volume=v", "backup=bu0026volume=v", "backup=b&volume=v"]) {
      await server.call("DELETE", "/v1/backups", { URL: `vfs:///au0026b?${query}` });
    }
    const expected = ["deleteBackup", { url: "vfs:///au0026b?backup=b&volume=v", endpoint: "" }];
    expect(volumes.calls).toEqual([expected, expected, expected]);
  });

  test("new routes and fields reach the volumes", async () => {
    await server.call("POST", "/volumes/create", { Name: "vol1" });
    await server.call("POST", "/volumes/rename", { VolumeName: "vol1", NewName: "vol2" });
    await server.call("POST", "/volumes/umount", { VolumeName: "vol1", Force: true, ForceRoot: "abc" });
    await server.call("DELETE", "/volumes", { VolumeName: "gone", Detached: true });
    await server.call("DELETE", "/volumes", { VolumeName: "vol1", ReferenceOnly: true });
    expect(volumes.calls.slice(1)).toEqual([
      ["rename", { name: "vol1", newName: "vol2" }],
      ["umount", { name: "vol1", force: true, forceRoot: "abc" }],
      ["deleteDetached", "gone"],
      ["delete", { name: "vol1", reference: true }],
    ]);
    const detached = JSON.parse((await server.call("GET", "/volumes/list?detached=1")).body);
    expect(detached.gone).toMatchObject({ Name: "gone", Driver: "vfs", Path: "/srv/vfs/gone", Snapshots: ["s1"] });
  });

  test("a warning of create stands in the record, and in a header beside a bare name", async () => {
    const bare = await server.call("POST", "/volumes/create", { Name: "w1", Size: 5 });
    expect(bare.body).toBe("w1");
    expect(bare.headers["warning"]).toBe('299 convoy "size has no effect with driver vfs"');
    const verbose = await server.call("POST", "/volumes/create", { Name: "w2", Size: 5, Verbose: true });
    expect(JSON.parse(verbose.body).Warnings).toEqual(["size has no effect with driver vfs"]);
  });
});

describe("errors", () => {
  test.each([
    ["GET", "/v1/volumes/", { VolumeName: "nosuch" }, 404, "Volume not found.\n"],
    ["DELETE", "/v1/volumes/", { VolumeName: "nosuch" }, 404, "Volume not found.\n"],
    ["GET", "/v1/volumes/", {}, 404, "Volume not found.\n"],
    ["POST", "/v1/volumes/mount", { VolumeName: "nosuch" }, 400, "volume nosuch doesn't exist\n"],
    ["POST", "/v1/volumes/umount", { VolumeName: "nosuch" }, 400, "volume nosuch doesn't exist\n"],
    ["POST", "/v1/snapshots/create", { VolumeName: "nosuch" }, 400, "volume nosuch doesn't exist\n"],
    ["GET", "/v1/volumes/", { VolumeName: "x!" }, 400, "Invalid name x!\n"],
    ["GET", "/v1/snapshots/", { SnapshotName: "nosuch" }, 400, "cannot find volume for snapshot nosuch\n"],
    ["POST", "/v1/backups/create", { SnapshotName: "snap1" }, 400, "Destination URL hasn't been specified\n"],
  ])("%s %s %j: %d as in v0.5.2", async (method, path, body, status, text) => {
    const answer = await server.call(method, path, body, { Accept: "application/json" });
    expect(answer).toMatchObject({ status, body: text });
    expect(answer.headers).toMatchObject({
      "content-type": "text/plain; charset=utf-8",
      "x-content-type-options": "nosniff",
    });
  });

  test("problem details for clients that ask, with a code, today's status and a hint", async () => {
    volumes.failure = new ConvoyError("VOLUME_BUSY", "vol1 is busy", { hint: "Wait." });
    const answer = await server.call("GET", "/v1/info", undefined, { Accept: "application/problem+json" });
    expect(answer.status).toBe(409);
    expect(answer.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(answer.body)).toEqual({
      type: "urn:convoy:problem:VOLUME_BUSY",
      title: "Conflict",
      status: 409,
      detail: "vol1 is busy",
      code: "VOLUME_BUSY",
      hint: "Wait.",
    });
  });

  test("a failing store is 500 in plain text, 502 in problem details", async () => {
    volumes.failure = new ConvoyError("STORE_FAILED", "the store does not answer");
    expect((await server.call("GET", "/v1/info")).status).toBe(500);
    expect((await server.call("GET", "/v1/info", undefined, { Accept: "application/problem+json" })).status).toBe(502);
  });

  test("a place that is not there is 400 in plain text, as in v0.5.2, and 503 in problem details", async () => {
    volumes.failure = new ConvoyError("UNREACHABLE", "VFS path /b doesn't exist or is not a directory");
    expect((await server.call("GET", "/v1/info")).status).toBe(400);
    expect((await server.call("GET", "/v1/info", undefined, { Accept: "application/problem+json" })).status).toBe(503);
  });

  test("a crash inside a handler is 500, logged once with its cause, and the daemon lives on", async () => {
    volumes.failure = new TypeError("x is not a function");
    const answer = await server.call("GET", "/v1/volumes/list");
    expect(answer).toMatchObject({ status: 500, body: "Internal error: x is not a function\n" });
    const errors = server.logged.map((line) => JSON.parse(line)).filter((line) => line.level === 50);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatchObject({ code: "INTERNAL", cause: "x is not a function", path: "/v1/volumes/list" });
    volumes.failure = undefined;
    expect((await server.call("GET", "/v1/volumes/list")).status).toBe(200);
  });

  test("passwords in URLs and fields of library errors stay out of the log", async () => {
    const cause = Object.assign(new Error("connect http://u:hunter2@host failed"), { secretAccessKey: "hunter2" });
    volumes.failure = new ConvoyError("STORE_FAILED", "http://u:hunter2@host does not answer", { cause });
    await server.call("GET", "/v1/info?Endpoint=http://u:hunter2@host");
    expect(server.logged.join("")).not.toContain("hunter2");
    expect(server.logged.join("")).toContain("//[hidden]@host does not answer");
  });
});

describe("health", () => {
  test("ready while the drivers answer, 503 with the reason when they do not", async () => {
    expect(await server.call("GET", "/readyz")).toMatchObject({ status: 200, body: expect.stringContaining("true") });
    volumes.failure = new ConvoyError("UNREACHABLE", "/srv/vfs is unreachable");
    const answer = await server.call("GET", "/readyz");
    expect(answer.status).toBe(503);
    expect(JSON.parse(answer.body)).toEqual({ Ready: false, Reasons: ["/srv/vfs is unreachable"] });
    expect((await server.call("GET", "/healthz")).status).toBe(200);
  });
});

test("thousands of volumes are listed whole, with names like numbers in their sorted place", async () => {
  const names = Array.from({ length: 5000 }, (_, index) => `vol${index}`).concat("10", "9x");
  for (const name of names) volumes.volumes.set(name, fakeVolume(name));
  const { body } = await server.call("GET", "/volumes/list");
  expect(Object.keys(JSON.parse(body)).sort()).toEqual(names.sort());
  expect(body.startsWith('{\n\t"10": {')).toBe(true);
});
