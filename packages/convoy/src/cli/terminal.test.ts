import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { referenceDaemon } from "../../../client/test/reference-daemon.ts";
import { CommandLine, collect } from "../../test/command-line.ts";

/** What a person sees. */
let convoy: CommandLine;
beforeAll(async () => {
  convoy = await CommandLine.make();
});
beforeEach(async () => {
  await convoy.serve(referenceDaemon());
});
afterAll(() => convoy.remove());

const text = async (...words: string[]): Promise<string> => (await convoy.run("--output", "text", ...words)).stdout;

/** Runs a command with a terminal as its standard output and error, which `script` makes. */
async function onTerminal(...words: string[]): Promise<{ code: number | null; screen: string }> {
  const quoted = [process.execPath, convoy.program, "--socket", convoy.daemon.socket, ...words]
    .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
    .join(" ");
  const { code, stdout } = await collect("script", ["--quiet", "--return", "--command", quoted, "/dev/null"]);
  return { code, screen: stdout.replaceAll("\r\n", "\n") };
}

test("list is a table", async () => {
  expect(await text("list")).toBe("There are no volumes.\n");
  await convoy.run("create", "vol1");
  await convoy.run("create", "disk-of-a-machine", "--vm", "--size", "1536m");
  await convoy.run("mount", "vol1");
  const lines = (await text("list")).split("\n");
  expect(lines[0]).toMatch(/^NAME {15}DRIVER {2}SIZE {5}SNAPSHOTS {2}AGE +MOUNTED AT$/);
  expect(lines[1]).toMatch(/^disk-of-a-machine {2}vfs {5}1\.5 GiB {2}0 {10}\S.* -$/);
  expect(lines[2]).toMatch(/^vol1 .* \/srv\/vfs\/vol1$/);
});

test("inspect shows snapshots, holders and what is wrong", async () => {
  const record = {
    Name: "vol1",
    Driver: "vfs",
    MountPoint: "/srv/vfs/vol1",
    CreatedTime: "Fri Nov 20 07:05:25 +0000 2026",
    DriverInfo: { Driver: "vfs", Path: "/srv/vfs/vol1", Size: "10737418240" },
    Snapshots: { snap1: { Name: "snap1", CreatedTime: "Fri Nov 20 07:05:25 +0000 2026", DriverInfo: {} } },
    Holders: [{ Kind: "docker", Root: "r1", Host: "host1", ID: "c1", Since: "Fri Nov 20 07:05:25 +0000 2026" }],
    Problem: "the share is not mounted",
  };
  await convoy.serve(() => ({ body: JSON.stringify(record) }));
  const shown = await text("inspect", "vol1");
  expect(shown).toContain("Problem:     the share is not mounted");
  expect(shown).toContain("10737418240 (10 GiB)");
  expect(shown).toMatch(/Mount held by:\n.*\n {2}docker +host1 +r1 +c1/);
  expect(shown).toMatch(/Snapshots:\n.*\n {2}snap1 /);
});

test("info, snapshot inspect and the listing of drivers", async () => {
  await convoy.run("create", "vol1");
  await convoy.run("snapshot", "create", "vol1", "--name", "snap1");
  expect(await text("info")).toMatch(
    /Default driver: +vfs\n(.*\n)*\nDriver vfs\nDefaultVolumeSize: +107374182400 \(100 GiB\)/,
  );
  expect(await text("snapshot", "inspect", "snap1")).toMatch(/^Snapshot: +snap1\nVolume: +vol1\n/);
  expect(await text("list", "--driver")).toMatch(/^vol1\n {2}Driver: +vfs\n/);
});

test("URLs of backups stand in single quotes, ready to be pasted", async () => {
  await convoy.run("create", "vol1");
  await convoy.run("snapshot", "create", "vol1", "--name", "snap1");
  const url = "'vfs:///b?backup=backup-0000000000000001&volume=vol1'";
  expect(await text("backup", "create", "snap1", "--dest", "vfs:///b")).toBe(`${url}\n`);
  expect(await text("backup", "list", "vfs:///b")).toContain(url);
  expect(await text("backup", "inspect", url.slice(1, -1))).toContain(`URL:          ${url}`);
  expect(spawnSync("sh", ["-c", `printf %s ${url}`], { encoding: "utf8" }).stdout).toBe(url.slice(1, -1));
});

test("deleted with --reference: list --detached shows it", async () => {
  await convoy.run("create", "vol1");
  expect(await text("delete", "--reference", "vol1")).toBe("Forgotten: vol1\n");
  expect(await text("list", "--detached")).toMatch(/\nvol1 +vfs +0 .* \/srv\/vfs\/vol1\n$/);
});

test("control characters of a record do not reach the terminal", async () => {
  const record = { Name: "x\u001b[2Jy", Driver: "vfs", MountPoint: "", CreatedTime: "", DriverInfo: {}, Snapshots: {} };
  await convoy.serve(() => ({ body: JSON.stringify({ x: record }) }));
  expect(await text("list")).not.toContain("\u001b");
});

test("a failure is one line and a hint on standard error, without the object for programs", async () => {
  const run = await convoy.run("--output", "text", "inspect", "nosuch");
  expect([run.code, run.stdout]).toEqual([1, ""]);
  expect(run.stderr).toBe(
    "convoy: Volume not found.\nhint: `convoy list` shows the volumes, `convoy list --detached` those removed with --reference.\n",
  );
});

test("a terminal gets text and hints by itself, and JSON when it is asked for", async () => {
  const made = await onTerminal("create", "vol1");
  expect(made.code).toBe(0);
  expect(made.screen).toContain("vol1\nhint: mount it with `convoy --socket ");
  expect(made.screen).toContain("docker run -v vol1:/data --volume-driver=convoy");
  expect((await onTerminal("list")).screen).toMatch(/^NAME +DRIVER/);
  expect((await onTerminal("--output", "json", "list")).screen).toMatch(/^\{\n\t"vol1"/);
  const failed = await onTerminal("mount", "nosuch");
  expect(failed).toEqual({ code: 1, screen: expect.stringMatching(/^convoy: volume nosuch doesn't exist\nhint: /) });
});
