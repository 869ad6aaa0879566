import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { requireOrSkip, skipFor } from "../lab/apt.ts";
import { answers } from "../lab/daemon.ts";
import { Engine, LAB_IMAGE, needDocker } from "../lab/docker.ts";
import { guideBlocks } from "../lab/guide.ts";
import { Namespace } from "../lab/namespace.ts";
import { endChild, mergedEnv, run, succeed, until } from "../lab/run.ts";
import { type S3Lab, s3Lab } from "../lab/s3.ts";
import { scratchPerSuite } from "../lab/scratch.ts";

const checkout = fileURLToPath(new URL("../..", import.meta.url));
/** What a clone does not have, and other things not to be copied. */
const NOT_COPIED = new Set([".git", ".convoy", ".test-lab", "node_modules"]);
const noDocker = skipFor(await needDocker());
const noS3 = await requireOrSkip("radosgw");

/** Every command of the README's quick start, typed as a new user would, in a copy of the checkout. */
describe.skipIf(noDocker || noS3)("the README", () => {
  const scratch = scratchPerSuite();
  let copy: string;
  let readme: string;
  let namespace: Namespace;
  let engine: Engine;
  let s3: S3Lab;
  let bucket: string;

  beforeAll(async () => {
    readme = await readFile(join(checkout, "README.md"), "utf8");
    // In the checkout's file system, so that node_modules can be linked instead of copied.
    copy = join(checkout, ".test-lab", `readme-${process.pid}`);
    await mkdir(copy, { recursive: true });
    scratch.defer(() => rm(copy, { recursive: true, force: true }));
    for (const entry of await readdir(checkout)) {
      if (!NOT_COPIED.has(entry)) await succeed("cp", ["-a", join(checkout, entry), copy]);
    }
    await succeed("cp", ["-al", join(checkout, "node_modules"), join(copy, "node_modules")]);
    await succeed("touch", [join(copy, "node_modules/.installed")]);
    // An /etc/docker of its own: the README registers the plugin under the name that a user's own Convoy may have.
    namespace = await Namespace.make(scratch, ["/etc/docker"]);
    engine = await Engine.start(scratch, namespace);
    await engine.docker(["tag", LAB_IMAGE, "busybox:latest"]);
    s3 = await s3Lab();
    bucket = await s3.makeBucket();
  });

  const environment = (): Record<string, string | undefined> => ({
    ...engine.env(),
    ...s3.environment,
    // Stands for Amazon's own address in the commands that name no endpoint.
    AWS_ENDPOINT_URL_S3: s3.endpoint,
    NODE_OPTIONS: undefined,
    VITEST: undefined,
  });

  const inCopy = (program: string, ...args: string[]) => [`--wd=${copy}`, ...namespace.enter(program, ...args)];

  /** `npm start`, in the background. @returns what it has printed so far. */
  async function npmStart(): Promise<() => string> {
    let printed = "";
    const child: ChildProcess = spawn("nsenter", inCopy("npm", "start"), {
      env: mergedEnv(environment()),
      stdio: ["ignore", "pipe", "pipe"],
    });
    scratch.defer(() => endChild(child, "SIGTERM", 15_000));
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (printed += String(chunk)));
    await until(
      "npm start to bring up the daemon",
      () => {
        if (child.exitCode !== null) throw new Error(`npm start ended:\n${printed}`);
        return answers(join(copy, ".convoy/convoy.sock"));
      },
      120_000,
    );
    return () => printed;
  }

  function blocks(name: string): string[] {
    return guideBlocks(readme, name).map((block) =>
      block
        .replaceAll("my-bucket", bucket)
        .replaceAll("eu-central-1", s3.region)
        .replaceAll("http://127.0.0.1:9000", s3.endpoint),
    );
  }

  test("npm start and every command of the quick start work as they stand", async () => {
    const printed = await npmStart();
    await until("the greeting", () => printed().includes("convoy.sock"));

    const quickStart = blocks("quickstart");
    const objectStore = [...blocks("s3"), ...blocks("s3-endpoint")];
    expect([quickStart.length, objectStore.length]).toEqual([3, 2]);
    const [road, look, tidy] = quickStart;
    const script = ["set -eu", road, 'printf "%s\\n" "== $url"', look, ...objectStore, tidy, "convoy list"].join("\n");
    const result = await run("nsenter", inCopy("sh", "-c", script), { env: environment(), timeoutMs: 180_000 });

    expect(result, result.stdout + result.stderr).toMatchObject({ code: 0 });
    const lines = result.stdout.split("\n");
    expect(lines).toContain("hello");
    expect(result.stdout).toMatch(/^== vfs:\/\/.*\/\.convoy\/backups\/\?backup=backup-[0-9a-f]{16}/m);
    expect(lines).toEqual(expect.arrayContaining(["snap1", "res1", "res2", "res3"]));
    const last = result.stdout.slice(result.stdout.lastIndexOf("\n{\n"));
    expect(Object.keys(JSON.parse(last) as object).sort()).toEqual(["res2", "res3"]);
    for (const volume of ["res2", "res3"]) {
      expect(await readFile(join(copy, ".convoy/volumes", volume, "file"), "utf8")).toBe("hello\n");
    }
  });

  test("npm start prints commands that can be pasted", async () => {
    const printed = await npmStartAgain();
    const commands = printed.split("\n").filter((line) => /bin\/convoy --socket \S+/.test(line));
    expect(commands.length).toBeGreaterThanOrEqual(3);
  });

  /** A second `npm start` says that one runs already, and where. */
  async function npmStartAgain(): Promise<string> {
    const result = await run("nsenter", inCopy("npm", "start"), { env: environment(), timeoutMs: 60_000 });
    return result.stdout + result.stderr;
  }
});
