import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { referenceDaemon } from "../../../client/test/reference-daemon.ts";
import { CommandLine, errorObject } from "../../test/command-line.ts";

/** What the command line refuses by itself: nothing reaches the daemon. */
let convoy: CommandLine;
beforeAll(async () => {
  convoy = await CommandLine.make();
});
beforeEach(async () => {
  await convoy.serve(referenceDaemon());
});
afterAll(() => convoy.remove());

test.each([
  [["create", "a"], "Invalid name a"],
  [["create", "bad name!"], "Invalid name bad name!"],
  [["create", "--", "-lead"], "Invalid name -lead"],
  [["create", "a/../../evil"], "Invalid name a/../../evil"],
  [["create", "x".repeat(128)], `Invalid name ${"x".repeat(128)}`],
  [["rename", "vol1", "../vol2"], "Invalid name ../vol2"],
  [["rename", "vol/1", "vol2"], "Invalid name vol/1"],
  [["inspect", "a/b"], "Invalid name a/b"],
  [["mount", ".."], "Invalid name .."],
  [["delete", "vol1", "x/y"], "Invalid name x/y"],
  [["snapshot", "create", "vol1", "--name", "x"], "Invalid name x"],
  [["snapshot", "create", "vol1", "--name", "a b"], "Invalid name a b"],
  [["snapshot", "delete", "s/1"], "Invalid name s/1"],
  [["backup", "create", "s/1", "--dest", "vfs:///b"], "Invalid name s/1"],
  [["docker", "install", "--name", "../x", "--dir", "/nosuch"], "Invalid name ../x"],
])("%j: only its own text, no prefix", async (words, text) => {
  const { code, stdout, stderr } = await convoy.run(...words);
  expect([code, stdout]).toEqual([1, errorObject(text)]);
  expect(stderr).toMatch(/^convoy: Invalid name .*\nhint: The name of a .* begins with a letter or digit\.\n$/);
  expect(convoy.daemon.requests).toEqual([]);
});

test.each(["abc", "1.5G", "10GB", "10P", "-5", "99999999999999999999", "99999999999T"])(
  "create --size %s names the value and what is allowed",
  async (size) => {
    const { code, stdout } = await convoy.run("create", "vol1", "--size", size);
    expect([code, stdout]).toEqual([
      1,
      errorObject(
        `Invalid size "${size}": must be digits, or digits followed by one of k, m, g, t (powers of 1024), for example 512m or 10G`,
      ),
    ]);
    expect(convoy.daemon.requests).toEqual([]);
  },
);

test.each(["backup", "s3-endpoint", "id"])(
  "create --%s '' is refused: a backup that failed must not become an empty volume",
  async (flag) => {
    const { code, stdout, stderr } = await convoy.run("create", "vol1", `--${flag}`, "");
    expect([code, stdout]).toEqual([1, errorObject(`Invalid value "" for --${flag}: must not be empty`)]);
    expect(stderr).toContain("would make an empty volume");
    expect(convoy.daemon.requests).toEqual([]);
  },
);

test.each([
  ["iops", "abc"],
  ["iops", ""],
  ["iops", "-1"],
  ["uid", "4294967295"],
  ["gid", "wheel"],
  ["mode", "9999"],
  ["mode", "rwx"],
])("create --%s %j is refused (DEFECT: junk became 0)", async (flag, value) => {
  const { code, stdout } = await convoy.run("create", "vol1", `--${flag}=${value}`);
  expect(code).toBe(1);
  expect(stdout).toContain(`Invalid value \\"${value}\\" for --${flag}: must be `);
  expect(convoy.daemon.requests).toEqual([]);
});

test.each([
  [["inspect"], "missing argument: name"],
  [["inspect", ""], "missing argument: name"],
  [["mount"], "missing argument: name"],
  [["umount"], "missing argument: name"],
  [["delete"], "missing argument: name"],
  [["delete", "vol1", ""], "missing argument: name"],
  [["rename", "vol1"], "missing argument: new"],
  [["snapshot", "create"], "missing argument: volume"],
  [["snapshot", "inspect"], "missing argument: snapshot"],
  [["snapshot", "delete"], "missing argument: snapshot"],
  [["backup", "create"], "missing argument: snapshot"],
  [["backup", "list"], "missing argument: dest"],
  [["backup", "inspect"], "missing argument: url"],
  [["backup", "delete"], "missing argument: url"],
  [["create", "x1", "--size", "1G", "x2"], "unexpected argument: x2"],
  [["list", "vol1"], "unexpected argument: vol1"],
  [["inspect", "vol1", "vol2"], "unexpected argument: vol2"],
  [["create", "v1", "--size"], "flag needs an argument: -size"],
  [["create", "--verbose", "w1"], "flag provided but not defined: -verbose"],
  [["create", "--nosuch"], "flag provided but not defined: -nosuch"],
  [["snapshot", "--nosuch"], "flag provided but not defined: -nosuch"],
  [["snapshot", "create", "v1", "--nosuch", "x"], "flag provided but not defined: -nosuch"],
  [["list", "--driver=maybe"], 'invalid boolean value "maybe" for -driver: parse error'],
  [["create", "v1", "--vm=zz"], 'invalid boolean value "zz" for -vm: parse error'],
  [["list", "--detached", "--driver"], "--detached and --driver exclude each other"],
  [["delete", "--detached", "--reference", "v1"], "--detached and --reference exclude each other"],
  [["umount", "v1", "--root", "r1"], "--root needs --force"],
  [["--nosuch"], "flag provided but not defined: -nosuch"],
  [["-s"], "flag needs an argument: -s"],
  [["--output", "xml", "list"], 'invalid value "xml" for -output: must be one of json, text'],
])("%j is a usage error: help, then the error object", async (words, text) => {
  const { code, stdout, stderr } = await convoy.run(...words);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^Incorrect Usage\.\n\nNAME:\n {3}convoy/);
  expect(stdout.slice(stdout.lastIndexOf("\n{\n") + 1)).toBe(errorObject(`Error when executing command: ${text}`));
  expect(stderr).toContain(`convoy: ${text}\nhint: `);
  expect(convoy.daemon.requests).toEqual([]);
});

test("a usage error shows the help of the command that was meant", async () => {
  expect((await convoy.run("snapshot", "create", "--nosuch")).stdout).toContain(
    "convoy snapshot create [options] <volume>",
  );
});

test.each([
  [["nosuch"], "nosuch", "`convoy help` shows the commands."],
  [["help", "nosuch"], "nosuch", "`convoy help`"],
  [["lits"], "lits", 'Did you mean "list"?'],
  [["snapshot", "creat"], "creat", 'Did you mean "create"?'],
  [["backup", "nosuch"], "nosuch", "`convoy help`"],
])("%j is unknown: no help text, a suggestion", async (words, name, hint) => {
  const { code, stdout, stderr } = await convoy.run(...words);
  expect([code, stdout]).toEqual([1, errorObject(`Unrecognized command: ${name}`)]);
  expect(stderr).toContain(hint);
});

test.each([[["--socket=", "list"]], [["-s", "", "list"]]])("%j: an empty socket", async (words) => {
  const { code, stdout } = await convoy.exec(words);
  expect([code, stdout]).toEqual([1, errorObject("Error when executing command: Require unix domain socket location")]);
});

test("DEFECT a missing daemon was reported with a damaged address", async () => {
  const { code, stdout, stderr } = await convoy.exec(["--socket", "/run/none%s.sock", "list"]);
  expect([code, stdout]).toEqual([1, errorObject("no Convoy daemon answers at /run/none%s.sock")]);
  expect(stderr).toContain("hint: Start one with `convoy daemon`");
});

test("a volume that v0.5.2 made under a name it then refused can be inspected and deleted", async () => {
  for (const name of ["a", "bad name!"]) {
    await convoy.daemon.handler({
      method: "POST",
      url: "/v1/volumes/create",
      headers: {},
      body: JSON.stringify({ Name: name }),
    });
    expect((await convoy.run("inspect", name)).code).toBe(0);
    expect((await convoy.run("delete", name)).stdout).toBe("\n");
  }
});

test("a bad name among several: nothing is deleted", async () => {
  await convoy.run("create", "vs4");
  const { code, stdout } = await convoy.run("delete", "vs4", "bad!");
  expect([code, stdout]).toEqual([1, errorObject("Invalid name bad!")]);
  expect((await convoy.run("inspect", "vs4")).code).toBe(0);
});
