import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { CommandLine } from "../../test/command-line.ts";

/** What each command puts on the wire: method, path and body, fields in the order of v0.5.2. */
let convoy: CommandLine;
beforeAll(async () => {
  convoy = await CommandLine.make();
});
beforeEach(async () => {
  await convoy.serve(() => ({ body: "{}" }));
});
afterAll(() => convoy.remove());

const CREATE = {
  Name: "",
  DriverName: "",
  Size: 0,
  BackupURL: "",
  Endpoint: "",
  DriverVolumeID: "",
  Type: "",
  IOPS: 0,
  PrepareForVM: false,
  Verbose: false,
};
const URL = "vfs:///b?backup=b1&volume=v1";
const LOOKUP = { URL, Endpoint: "", VolumeName: "", SnapshotName: "" };

test.each<[string, string, unknown]>([
  ["info", "GET /v1/info", null],
  ["list", "GET /v1/volumes/list", null],
  ["list --driver", "GET /v1/volumes/list?driver=1", null],
  ["list --detached", "GET /v1/volumes/list?detached=1", null],
  ["create", "POST /v1/volumes/create", CREATE],
  [
    "create v1 --size 10G --driver vfs --iops 100 --type io1 --id x --vm",
    "POST /v1/volumes/create",
    {
      ...CREATE,
      Name: "v1",
      DriverName: "vfs",
      Size: 10737418240,
      DriverVolumeID: "x",
      Type: "io1",
      IOPS: 100,
      PrepareForVM: true,
    },
  ],
  [
    `--verbose create v1 --backup ${URL} --s3-endpoint http://e`,
    "POST /v1/volumes/create",
    { ...CREATE, Name: "v1", BackupURL: URL, Endpoint: "http://e", Verbose: true },
  ],
  ["create v1 --vm --vm=false", "POST /v1/volumes/create", { ...CREATE, Name: "v1" }],
  ["inspect v1", "GET /v1/volumes/", { VolumeName: "v1" }],
  ["delete v1", "DELETE /v1/volumes/", { VolumeName: "v1", ReferenceOnly: false }],
  ["delete -r v1", "DELETE /v1/volumes/", { VolumeName: "v1", ReferenceOnly: true }],
  ["delete v1 -reference", "DELETE /v1/volumes/", { VolumeName: "v1", ReferenceOnly: true }],
  ["delete --detached v1", "DELETE /v1/volumes/", { VolumeName: "v1", ReferenceOnly: false, Detached: true }],
  ["mount v1 --mountpoint /m", "POST /v1/volumes/mount", { VolumeName: "v1", MountPoint: "/m", Verbose: false }],
  ["mount v1", "POST /v1/volumes/mount", { VolumeName: "v1", MountPoint: "", Verbose: false }],
  ["umount v1", "POST /v1/volumes/umount", { VolumeName: "v1" }],
  ["umount v1 --force", "POST /v1/volumes/umount", { VolumeName: "v1", Force: true }],
  ["umount --force --root r1 v1", "POST /v1/volumes/umount", { VolumeName: "v1", Force: true, ForceRoot: "r1" }],
  ["rename v1 v2", "POST /v1/volumes/rename", { VolumeName: "v1", NewName: "v2" }],
  ["snapshot create v1 --name s1", "POST /v1/snapshots/create", { Name: "s1", VolumeName: "v1", Verbose: false }],
  ["--verbose snapshot create v1", "POST /v1/snapshots/create", { Name: "", VolumeName: "v1", Verbose: true }],
  ["snapshot inspect s1", "GET /v1/snapshots/", { SnapshotName: "s1" }],
  ["snapshot delete s1", "DELETE /v1/snapshots/", { SnapshotName: "s1" }],
  ["snapshot delete s1 --volume v1", "DELETE /v1/snapshots/", { SnapshotName: "s1", VolumeName: "v1" }],
  [
    "backup --s3-endpoint http://e:9000 create s1 --dest s3://b@r/p",
    "POST /v1/backups/create",
    { URL: "s3://b@r/p", Endpoint: "http://e:9000", SnapshotName: "s1", Verbose: false },
  ],
  [
    "backup create s1 --s3-endpoint http://e:9000 --dest s3://b@r/p --init-store",
    "POST /v1/backups/create",
    { URL: "s3://b@r/p", Endpoint: "http://e:9000", SnapshotName: "s1", InitStore: true, Verbose: false },
  ],
  [
    "--verbose backup create s1 --dest vfs:///b",
    "POST /v1/backups/create",
    { URL: "vfs:///b", Endpoint: "", SnapshotName: "s1", Verbose: true },
  ],
  ["backup list vfs:///b --volume-name v1", "GET /v1/backups/list", { ...LOOKUP, URL: "vfs:///b", VolumeName: "v1" }],
  [`backup inspect ${URL}`, "GET /v1/backups/inspect", LOOKUP],
  [`backup delete ${URL}`, "DELETE /v1/backups", { URL, Endpoint: "" }],
  ["backup --s3-endpoint a delete x --s3-endpoint b", "DELETE /v1/backups", { URL: "x", Endpoint: "b" }],
])("convoy %s", async (line, request, body) => {
  const run = await convoy.run(...line.split(" "));
  expect(run).toMatchObject({ code: 0, stderr: "" });
  expect(convoy.daemon.requests.map(({ method, url }) => `${method} ${url}`)).toEqual([request]);
  expect(convoy.daemon.requests[0]?.body).toBe(JSON.stringify(body));
});

test("several names of delete are several requests, in order", async () => {
  await convoy.run("delete", "v1", "v2");
  expect(convoy.daemon.requests.map(({ body }) => JSON.parse(body).VolumeName)).toEqual(["v1", "v2"]);
});

test.each([URL, "vfs:///b?backup=b1\\u0026volume=v1", "vfs:///b?backup=b1u0026volume=v1"])(
  "the printed form %s of a backup's URL is understood in all three commands",
  async (printed) => {
    await convoy.run("create", "--backup", printed);
    await convoy.run("backup", "inspect", printed);
    await convoy.run("backup", "delete", printed);
    const sent = convoy.daemon.requests.map(({ body }) => JSON.parse(body)).map((data) => data.BackupURL ?? data.URL);
    expect(sent).toEqual([URL, URL, URL]);
  },
);

test("uid, gid and mode are sent only where they are given", async () => {
  await convoy.run("create", "v1", "--uid", "1000", "--gid", "0", "--mode", "0750");
  expect(JSON.parse(convoy.daemon.requests[0]?.body ?? "")).toEqual({
    ...CREATE,
    Name: "v1",
    UID: 1000,
    GID: 0,
    Mode: "0750",
  });
});

test("a relative mount point means a directory here, not below the daemon's", async () => {
  await convoy.run("mount", "v1", "--mountpoint", "m");
  expect(JSON.parse(convoy.daemon.requests[0]?.body ?? "").MountPoint).toBe(`${process.cwd()}/m`);
});

test("--debug shows request and data on standard error and leaves standard output alone", async () => {
  const run = await convoy.run("--debug", "inspect", "v1");
  expect(run.stdout).toBe("{}\n");
  expect(run.stderr).toContain("GET /v1/volumes/");
  expect(run.stderr).toContain('{"VolumeName":"v1"}');
});

test("warnings of the daemon go to standard error and leave standard output alone", async () => {
  await convoy.serve(() => ({ body: "v1", headers: { Warning: '299 convoy "size has no effect with vfs"' } }));
  const run = await convoy.run("create", "v1", "--size", "10G");
  expect(run).toEqual({ code: 0, stdout: "v1\n", stderr: "warning: size has no effect with vfs\n" });
});
