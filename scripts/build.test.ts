import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { collect, type Run } from "../packages/convoy/test/command-line.ts";

/**
 * The launcher and the build, in a copy of the checkout whose command line is short enough to tell bundle and source
 * apart.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const HOUR_MS = 3_600_000;
let copy: string;

beforeAll(async () => {
  copy = join(mkdtempSync(join(tmpdir(), "convoy-build-")), "a checkout");
  for (const part of ["bin", "scripts", "packages", "package.json", "tsconfig.json"]) {
    cpSync(join(root, part), join(copy, part), { recursive: true, filter: (from) => !from.endsWith("/dist") });
  }
  linkPackages();
  const built = await build();
  expect(built.stderr).toBe("");
});
afterAll(() => rmSync(join(copy, ".."), { recursive: true, force: true }));

/** The installed packages of the real checkout; its own two lead into the copy. */
function linkPackages(): void {
  mkdirSync(join(copy, "node_modules"));
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name === "node-convoy" || name === "convoy") continue;
    symlinkSync(join(root, "node_modules", name), join(copy, "node_modules", name));
  }
  symlinkSync("../packages/client", join(copy, "node_modules/node-convoy"));
  symlinkSync("../packages/convoy", join(copy, "node_modules/convoy"));
}

const build = (): Promise<Run> => collect(process.execPath, [join(copy, "scripts/build.ts")]);

/** Runs the launcher with each shell that has to understand it; all must answer the same. */
async function launch(file: string, ...words: string[]): Promise<Run> {
  const answer = await collect(file, words);
  const shells = [
    ["dash"],
    ...(existsSync("/usr/bin/busybox") || existsSync("/bin/busybox") ? [["busybox", "sh"]] : []),
  ];
  for (const [shell = "", ...first] of shells) expect(await collect(shell, [...first, file, ...words])).toEqual(answer);
  return answer;
}

/** Which of the two ran: only a bundle has a version built in, so the source shows what package.json says now. */
const which = async (): Promise<string> => (await launch(join(copy, "bin/convoy"), "--version")).stdout.trim();

test("the bundle runs while it is newer than the sources", async () => {
  expect(await which()).toBe("Convoy version v0.6.0");
});

test("the sources run when one of them, or the list of files, is newer", async () => {
  const manifest = join(copy, "packages/convoy/package.json");
  const edited = { name: "convoy", version: "9.9.9", type: "module" };
  const later = new Date(Date.now() + HOUR_MS);
  writeFileSync(manifest, JSON.stringify(edited));
  const past = new Date(Date.now() - HOUR_MS);
  utimesSync(manifest, past, past);
  expect(await which()).toBe("Convoy version v0.6.0");
  for (const touched of ["packages/convoy/src/cli/main.ts", "packages/convoy/src/cli", "packages/client/src/wire"]) {
    utimesSync(join(copy, touched), later, later);
    expect(await which(), touched).toBe("Convoy version v9.9.9");
    utimesSync(join(copy, touched), past, past);
    expect(await which(), touched).toBe("Convoy version v0.6.0");
  }
});

test("the sources run when there is no bundle", async () => {
  rmSync(join(copy, "dist"), { recursive: true });
  expect(await which()).toMatch(/^Convoy version v/);
  expect((await build()).code).toBe(0);
});

test("it finds its checkout through links, absolute and relative ones", async () => {
  const place = join(copy, "links");
  mkdirSync(place);
  symlinkSync(join(copy, "bin/convoy"), join(place, "one"));
  symlinkSync("one", join(place, "two"));
  expect((await launch(join(place, "two"), "--version")).stdout).toMatch(/^Convoy version v/);
  const path = `${place}:${process.env["PATH"]}`;
  expect((await collect("sh", ["-c", "two --version"], { ...process.env, PATH: path })).stdout).toMatch(/^Convoy/);
});

test("arguments arrive as they were given", async () => {
  const run = await launch(join(copy, "bin/convoy"), "a b*c", "");
  expect(run.stdout).toContain('"Error": "Unrecognized command: a b*c"');
});

test("without npm packages it says what to do", async () => {
  const bare = join(copy, "../bare");
  cpSync(join(copy, "bin"), join(bare, "bin"), { recursive: true });
  const run = await launch(join(bare, "bin/convoy"), "list");
  expect([run.code, run.stdout]).toEqual([1, ""]);
  expect(run.stderr).toMatch(/^convoy: the npm packages of .*bare are not installed\nhint: .*npm ci/);
});

test("a build keeps the directories that running daemons may still read, the last three of them", async () => {
  const dist = join(copy, "dist");
  for (const [at, name] of ["aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"].entries()) {
    mkdirSync(join(dist, name));
    const time = new Date(Date.now() - (at + 1) * HOUR_MS);
    utimesSync(join(dist, name), time, time);
  }
  const before = readdirSync(dist).filter((name) => /^[0-9a-f]{12}$/.test(name) && !/^(.)\1+$/.test(name));
  const built = await build();
  expect(built.stdout.trim().split("\n")).toHaveLength(3);
  const after = readdirSync(dist).filter((name) => /^[0-9a-f]{12}$/.test(name));
  expect(after.sort()).toEqual([...before, "aaaaaaaaaaaa", "bbbbbbbbbbbb"].sort());
});

test("the daemon of the bundle starts and says what it needs", async () => {
  const run = await collect(join(copy, "bin/convoy"), [
    "--socket",
    join(copy, "s.sock"),
    "daemon",
    "--root",
    join(copy, "root"),
  ]);
  expect(run.code).toBe(1);
  expect(run.stdout).toContain('"Error": "');
});
