import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { CommandLine } from "../../test/command-line.ts";

let convoy: CommandLine;
let parent: string;
let directory: string;
beforeAll(async () => {
  convoy = await CommandLine.make();
});
afterAll(() => convoy.remove());
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), "convoy-docker-"));
  directory = join(parent, "docker/plugins");
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const docker = (...words: string[]) => convoy.exec(["docker", ...words, "--dir", directory]);
const spec = (name = "convoy") => readFileSync(join(directory, `${name}.spec`), "utf8");

test("R30 install writes the spec file whole, makes its directory, and leaves nothing else there", async () => {
  const run = await docker("install");
  expect(run).toMatchObject({ code: 0, stdout: `${directory}/convoy.spec\n` });
  expect(spec()).toBe("unix:///var/run/convoy/convoy.sock");
  expect(readdirSync(directory)).toEqual(["convoy.spec"]);
});

test("R30 uninstall removes it; a second time is a success that says so", async () => {
  await docker("install");
  expect(await docker("uninstall")).toEqual({ code: 0, stdout: `${directory}/convoy.spec\n`, stderr: "" });
  expect(readdirSync(directory)).toEqual([]);
  expect(await docker("uninstall")).toEqual({
    code: 0,
    stdout: "\n",
    stderr: `note: there was no ${directory}/convoy.spec\n`,
  });
});

test("another socket and another name; a relative socket is written as an absolute one", async () => {
  await convoy.exec(["--socket", "run/c2.sock", "docker", "install", "--name", "convoy2", "--dir", directory]);
  expect(spec("convoy2")).toBe(`unix://${process.cwd()}/run/c2.sock`);
});

describe("a spec file that names another socket", () => {
  beforeEach(() => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "convoy.spec"), "unix:///old.sock\n");
  });

  test.each([
    ["install", "--name"],
    ["uninstall", "--socket"],
  ])("%s leaves it alone and says what to do", async (command, advice) => {
    const { code, stdout, stderr } = await docker(command);
    expect(code).toBe(1);
    expect(stdout).toContain(`${directory}/convoy.spec names another socket: unix:///old.sock`);
    expect(stderr).toMatch(new RegExp(`${advice}.*--force`));
    expect(spec()).toBe("unix:///old.sock\n");
  });

  test("install --force replaces it, and what it named is told", async () => {
    expect((await docker("install", "--force")).stderr).toContain("named unix:///old.sock until now");
    expect(spec()).toBe("unix:///var/run/convoy/convoy.sock");
  });

  test("uninstall removes it with --force, or with its own socket", async () => {
    expect((await docker("uninstall", "--force")).code).toBe(0);
    expect(readdirSync(directory)).toEqual([]);
    writeFileSync(join(directory, "convoy.spec"), "unix:///old.sock\n");
    const words = ["--socket", "/old.sock", "docker", "uninstall", "--dir", directory];
    expect((await convoy.exec(words)).code).toBe(0);
    expect(readdirSync(directory)).toEqual([]);
  });
});

test("the same socket by another path is the same", async () => {
  symlinkSync(parent, `${parent}.link`);
  const by = (path: string, command: string) =>
    convoy.exec(["--socket", join(path, "c.sock"), "docker", command, "--dir", directory]);
  expect((await by(parent, "install")).code).toBe(0);
  expect((await by(`${parent}.link`, "uninstall")).code).toBe(0);
  rmSync(`${parent}.link`);
});

test("a place that cannot be written is a clear error", async () => {
  writeFileSync(join(parent, "file"), "");
  const { code, stdout, stderr } = await convoy.exec(["docker", "install", "--dir", join(parent, "file")]);
  expect(code).toBe(1);
  expect(stdout).toContain(`cannot write ${parent}/file/convoy.spec`);
  expect(stderr).toContain("--dir");
});
