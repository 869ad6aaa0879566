import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { referenceDaemon } from "../../../client/test/reference-daemon.ts";
import { CommandLine, collect, errorObject, type Run } from "../../test/command-line.ts";

/** Standard output and exit code as scripts of v0.5.2 know them, byte for byte. */
let convoy: CommandLine;
beforeAll(async () => {
  convoy = await CommandLine.make();
});
beforeEach(async () => {
  await convoy.serve(referenceDaemon());
});
afterAll(() => convoy.remove());

const run = (line: string): Promise<Run> => convoy.run(...line.split(" "));

/** Runs lines one after the other; all but the last have to succeed. */
async function after(...lines: string[]): Promise<Run> {
  for (const line of lines.slice(0, -1)) expect((await run(line)).code, line).toBe(0);
  return run(lines.at(-1) ?? "");
}

test.each<[string[], string]>([
  [["list"], "{}\n"],
  [["list --driver"], "{}\n"],
  [["create vol1"], "vol1\n"],
  [["create"], "volume-0000000000000001\n"],
  [["create vol1", "delete vol1"], "\n"],
  [["create vol1", "create vol2", "delete vol1 vol2"], "\n\n"],
  [["create vol1", "mount vol1"], "/srv/vfs/vol1\n"],
  [["create vol1", "mount vol1", "mount vol1"], "/srv/vfs/vol1\n"],
  [["create vol1", "umount vol1"], "\n"],
  [["create vol1", "--verbose umount vol1"], "\n"],
  [["create vol1", "snapshot create vol1 --name snap1"], "snap1\n"],
  [["create vol1", "snapshot create vol1"], "snapshot-0000000000000001\n"],
  [["create vol1", "snapshot create vol1 --name snap1", "snapshot delete snap1"], "\n"],
  [["create vol1", "rename vol1 vol2"], "\n"],
  [["backup list vfs:///b"], "{}\n"],
])("%j", async (lines, stdout) => {
  expect(await after(...lines)).toEqual({ code: 0, stdout, stderr: "" });
});

test("a backup's URL is printed with the first & as six characters, and that form is taken back", async () => {
  const made = await after("create vol1", "snapshot create vol1 --name snap1", "backup create snap1 --dest vfs:///b");
  expect(made.stdout).toBe("vfs:///b?backup=backup-0000000000000001\\u0026volume=vol1\n");
  const inspected = await convoy.run("backup", "inspect", made.stdout.trim());
  expect(inspected.code).toBe(0);
  expect(inspected.stdout).toContain('"BackupURL": "vfs:///b?backup=backup-0000000000000001\\u0026volume=vol1"');
  expect((await convoy.run("backup", "delete", made.stdout.trim())).stdout).toBe("\n");
});

test("--verbose prints the record, tab-indented, fields in their order", async () => {
  expect((await run("--verbose create vol2 --size 10G")).stdout).toBe(
    `{
	"Name": "vol2",
	"Driver": "vfs",
	"MountPoint": "",
	"CreatedTime": "Fri Nov 20 07:05:25 +0000 2026",
	"DriverInfo": {
		"Driver": "vfs",
		"MountPoint": "",
		"Path": "/srv/vfs/vol2",
		"PrepareForVM": "false",
		"Size": "0",
		"VolumeCreatedAt": "Fri Nov 20 07:05:25 +0000 2026",
		"VolumeName": "vol2"
	},
	"Snapshots": {}
}
`,
  );
});

test("the body is printed as it came, whatever it is", async () => {
  const body = '{ "a" :\t"\\u003c\u00fc%!s(MISSING)" }\n\n';
  await convoy.serve(() => ({ body }));
  expect((await run("info")).stdout).toBe(`${body}\n`);
});

test("a listing of several megabytes arrives whole, through a pipe", async () => {
  const body = JSON.stringify(
    Object.fromEntries(Array.from({ length: 40_000 }, (_, at) => [`vol${at}`, "x".repeat(99)])),
  );
  await convoy.serve(() => ({ body }));
  const { code, stdout } = await run("list");
  expect([code, stdout === `${body}\n`]).toEqual([0, true]);
});

test.each<[string, string]>([
  ["inspect nosuch", "Volume not found."],
  ["mount nosuch", "volume nosuch doesn't exist"],
  ["umount nosuch", "volume nosuch doesn't exist"],
  ["snapshot create nosuch --name s1", "volume nosuch doesn't exist"],
  ["snapshot inspect nosuch", "cannot find volume for snapshot nosuch"],
  ["snapshot delete nosuch", "cannot find volume for snapshot nosuch"],
  ["backup create snap1", "Destination URL hasn't been specified"],
])("%s: the daemon's text in the error object, exit code 1, a hint", async (line, text) => {
  const { code, stdout, stderr } = await run(line);
  expect([code, stdout]).toEqual([1, errorObject(`Error response from server, ${text}\n`)]);
  expect(stderr).toMatch(new RegExp(`^convoy: ${text.replaceAll(".", "\\.")}\nhint: .+\n$`));
});

test("the text of the daemon is the same whether it comes as plain text or as a problem document", async () => {
  const plain = await after("create vol1", "create vol1");
  await convoy.serve(referenceDaemon({ problems: true }));
  const problem = await after("create vol1", "create vol1");
  expect(plain.stdout).toBe(errorObject("Error response from server, Volume vol1 already exists \n"));
  expect(problem.stdout).toBe(plain.stdout);
  expect(problem.stderr).toBe("convoy: Volume vol1 already exists\nhint: Do this.\n");
});

test("delete goes on after a failure and names each one on standard output", async () => {
  const { code, stdout } = await after("create a1", "delete a1 nosuch1 nosuch2");
  expect(code).toBe(1);
  expect(stdout).toBe(
    "\n" +
      "Error deleting nosuch1: Error response from server, Volume not found.\n\n" +
      "Error deleting nosuch2: Error response from server, Volume not found.\n\n" +
      errorObject("Error response from server, Volume not found.\n"),
  );
});

test("an answer without any text is taken for a daemon of another version", async () => {
  await convoy.serve(() => ({ status: 500 }));
  expect((await run("info")).stdout).toBe(errorObject("Incompatible version"));
});

test("<, > and & are escaped in the error object, and nothing else is", async () => {
  await convoy.serve(() => ({ status: 400, body: 'a<b>&"\u00fc\n' }));
  expect((await run("info")).stdout).toBe(
    `{\n\t"Error": "Error response from server, a\\u003cb\\u003e\\u0026\\"\u00fc\\n"\n}\n`,
  );
});

test("DEFECT texts of errors were taken for formats", async () => {
  await convoy.serve(() => ({ status: 400, body: "100% of %s and %!F(MISSING)\n" }));
  expect((await run("info")).stdout).toBe(errorObject("Error response from server, 100% of %s and %!F(MISSING)\n"));
});

test("--output json and a pipe give the same, --output text does not", async () => {
  await run("create vol1");
  const piped = await run("list");
  expect((await run("--output json list")).stdout).toBe(piped.stdout);
  expect((await run("--output text list")).stdout).toMatch(/^NAME +DRIVER /);
});

test("nobody reads: the command ends quietly", async () => {
  await convoy.serve(() => ({ body: "x".repeat(3_000_000) }));
  const script = '"$0" "$1" --socket "$2" list | head -c 1';
  const answer = await collect("sh", ["-c", script, process.execPath, convoy.program, convoy.daemon.socket]);
  expect(answer).toEqual({ code: 0, stdout: "x", stderr: "" });
});
