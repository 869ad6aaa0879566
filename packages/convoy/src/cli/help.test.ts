import { afterAll, beforeAll, expect, test } from "vitest";
import { CommandLine } from "../../test/command-line.ts";
import { isGroup } from "./command.ts";
import { COMMANDS } from "./registry.ts";

let convoy: CommandLine;
beforeAll(async () => {
  convoy = await CommandLine.make();
});
afterAll(() => convoy.remove());

const paths = COMMANDS.flatMap((item) =>
  isGroup(item)
    ? item.commands.map((command) => [`${item.name} ${command.name}`, command] as const)
    : [[item.name, item] as const],
);

test.each([[[]], [["help"]], [["h"]], [["--help"]], [["-h"]], [["-help"]]])(
  "%j: help of the program",
  async (words) => {
    const { code, stdout, stderr } = await convoy.exec(words);
    expect([code, stderr]).toEqual([0, ""]);
    for (const item of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {3}${item.name} +\\S`, "m"));
    for (const flag of ["--socket PATH, -s", "--debug, -d", "--verbose", "--output", "--help, -h", "--version, -v"]) {
      expect(stdout).toContain(flag);
    }
  },
);

test.each(paths)("help of %s names every option and has an example", async (path, command) => {
  const { code, stdout, stderr } = await convoy.exec(["help", ...path.split(" ")]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(`convoy ${path} - ${command.summary}`);
  for (const flag of command.flags) expect(stdout).toContain(`--${flag.name}`);
  expect(stdout).toMatch(new RegExp(`EXAMPLES:\\n(.*\\n)*.*convoy .*${path.split(" ").at(-1)}`));
});

test("all ways to ask for the help of a command give the same", async () => {
  const { stdout } = await convoy.exec(["help", "snapshot", "create"]);
  for (const words of [
    ["snapshot", "create", "--help"],
    ["snapshot", "create", "-h"],
    ["snapshot", "help", "create"],
    ["snapshot", "h", "create"],
  ]) {
    expect(await convoy.exec(words)).toEqual({ code: 0, stdout, stderr: "" });
  }
});

test.each(["snapshot", "backup", "docker"])("%s alone: help of the group", async (group) => {
  const { code, stdout } = await convoy.exec([group]);
  expect(code).toBe(0);
  expect(stdout).toContain(`convoy ${group} command [command options]`);
  expect((await convoy.exec(["help", group])).stdout).toBe(stdout);
  expect((await convoy.exec([group, "help"])).stdout).toBe(stdout);
});

test("the group option of backup alone is help too", async () => {
  expect((await convoy.exec(["backup", "--s3-endpoint", "http://e"])).code).toBe(0);
});

test.each([[["--version"]], [["-v"]], [["version"]]])("%j", async (words) => {
  expect(await convoy.exec(words)).toEqual({ code: 0, stdout: "Convoy version v0.6.0\n", stderr: "" });
});
