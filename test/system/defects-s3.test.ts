import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { requireOrSkip } from "../lab/apt.ts";
import { backupUrl, Daemon } from "../lab/daemon.ts";
import { OriginalState } from "../lab/original.ts";
import { faultProxy } from "../lab/proxy.ts";
import { type S3Lab, s3Lab } from "../lab/s3.ts";
import { scratchPerTest } from "../lab/scratch.ts";

/** The defects that show in object stores only. */
describe.skipIf(await requireOrSkip("radosgw"))("defects of the original with S3", () => {
  const scratch = scratchPerTest();
  let s3: S3Lab;

  beforeAll(async () => {
    s3 = await s3Lab();
  });

  async function backedUp(daemon: Daemon, name: string, dest: string): Promise<string> {
    await daemon.ok("create", name);
    await writeFile(join(daemon.path, name, "file"), `content of ${name}`);
    await daemon.ok("snapshot", "create", name, "--name", `${name}-snap`);
    return backup(daemon, `${name}-snap`, dest, s3.endpoint).then(backupUrl);
  }

  const backup = (daemon: Daemon, snapshot: string, dest: string, endpoint: string) =>
    daemon.ok("backup", "--s3-endpoint", endpoint, "create", snapshot, "--dest", dest);

  test("S3 deletion by prefix (vol1 deleting vol10)", async () => {
    const daemon = await Daemon.start(scratch, { env: s3.environment });
    const dest = `s3://${await s3.makeBucket()}@${s3.region}/`;
    const one = await backedUp(daemon, "vol1", dest);
    const ten = await backedUp(daemon, "vol10", dest);
    const old = await backedUp(daemon, "vol1-old", dest);
    await daemon.ok("backup", "--s3-endpoint", s3.endpoint, "delete", one);
    for (const [name, url] of [
      ["vol10", ten],
      ["vol1-old", old],
    ] as const) {
      await daemon.ok("create", `res-${name}`, "--backup", url, "--s3-endpoint", s3.endpoint);
      expect(await readFile(join(daemon.path, `res-${name}`, "file"), "utf8")).toBe(`content of ${name}`);
    }
    await daemon.fails("backup", "--s3-endpoint", s3.endpoint, "inspect", one);
  });

  test("upload of a missing archive reported as success", async () => {
    const base = await scratch.directory("original");
    const state = await OriginalState.make(join(base, "root"), join(base, "vfs"));
    await state.volume("vol1");
    await rm(await state.snapshot("vol1", "snap1"));
    const daemon = await Daemon.start(scratch, {
      root: state.root,
      path: state.path,
      configured: true,
      env: s3.environment,
    });
    const dest = `s3://${await s3.makeBucket()}@${s3.region}/store/`;
    await daemon.fails("backup", "--s3-endpoint", s3.endpoint, "create", "snap1", "--dest", dest);
    expect(await daemon.ok("backup", "--s3-endpoint", s3.endpoint, "list", dest)).toBe("{}");
  });

  test.each([{ kind: "status", status: 403 }, { kind: "reset" }, { kind: "refuse" }] as const)(
    "HEAD error taken for absent: $kind",
    async (fault) => {
      const daemon = await Daemon.start(scratch, { env: s3.environment });
      const dest = `s3://${await s3.makeBucket()}@${s3.region}/store/`;
      const url = await backedUp(daemon, "vol1", dest);
      const proxy = await faultProxy(s3.port);
      scratch.defer(() => proxy.close());
      const endpoint = `http://127.0.0.1:${proxy.port}`;
      await proxy.set(fault);
      await daemon.fails("backup", "--s3-endpoint", endpoint, "create", "vol1-snap", "--dest", dest);
      expect(await daemon.fails("backup", "--s3-endpoint", endpoint, "inspect", url)).not.toContain("cannot find");
      await daemon.fails("create", "res1", "--backup", url, "--s3-endpoint", endpoint);
      expect(await daemon.volumes()).toEqual(["vol1"]);
      await proxy.set({ kind: "pass" });
      const listed = await daemon.json("backup", "--s3-endpoint", endpoint, "list", dest);
      expect(Object.keys(listed)).toHaveLength(1);
      await daemon.ok("create", "res1", "--backup", url, "--s3-endpoint", endpoint);
      expect(await readFile(join(daemon.path, "res1/file"), "utf8")).toBe("content of vol1");
    },
  );

  test("an upload that is cut off leaves no backup behind", async () => {
    const daemon = await Daemon.start(scratch, { env: s3.environment });
    const dest = `s3://${await s3.makeBucket()}@${s3.region}/store/`;
    await backedUp(daemon, "vol1", dest);
    const proxy = await faultProxy(s3.port);
    scratch.defer(() => proxy.close());
    await proxy.set({ kind: "cut", afterBytes: 40 });
    await daemon.fails(
      ...["backup", "--s3-endpoint", `http://127.0.0.1:${proxy.port}`, "create", "vol1-snap", "--dest", dest],
    );
    const listed = await daemon.json("backup", "--s3-endpoint", s3.endpoint, "list", dest);
    expect(Object.keys(listed)).toHaveLength(1);
  });

  test("secrets in logs and errors", async () => {
    const secret = "VERYSECRETSECRETKEY0123456789";
    const daemon = await Daemon.start(scratch, {
      env: { ...s3.environment, AWS_SECRET_ACCESS_KEY: secret },
      args: ["--log-level", "debug"],
    });
    await daemon.ok("create", "vol1");
    await daemon.ok("snapshot", "create", "vol1", "--name", "snap1");
    const bucket = await s3.makeBucket();
    const result = await daemon.convoy([
      ...["backup", "--s3-endpoint", s3.endpoint, "create", "snap1", "--dest", `s3://${bucket}@${s3.region}/x`],
    ]);
    expect(result.code).toBe(1);
    expect(result.stdout + result.stderr + (await daemon.log())).not.toContain(secret);
  });
});
