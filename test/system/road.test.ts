import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { requireOrSkip, skipFor } from "../lab/apt.ts";
import { backupUrl, Daemon } from "../lab/daemon.ts";
import { Engine, needDocker, registerPlugin } from "../lab/docker.ts";
import { type S3Lab, s3Lab } from "../lab/s3.ts";
import { scratchPerSuite } from "../lab/scratch.ts";

const noS3 = await requireOrSkip("radosgw");

/**
 * The whole road: a container writes, a snapshot is taken and backed up, another daemon with its own state and its own
 * volumes restores it, and a container there reads what was written.
 */
describe.skipIf(skipFor(await needDocker()))("from a container, through a backup, to a container elsewhere", () => {
  const scratch = scratchPerSuite();
  let engine: Engine;

  beforeAll(async () => {
    engine = await Engine.start(scratch);
  });

  async function hostWithPlugin(env: Record<string, string> = {}): Promise<{ daemon: Daemon; driver: string }> {
    const daemon = await Daemon.start(scratch, { env });
    return { daemon, driver: await registerPlugin(scratch, daemon) };
  }

  async function writeInContainer(driver: string, volume: string): Promise<void> {
    await engine.run(
      ["-v", `${volume}:/data`, `--volume-driver=${driver}`],
      "echo written in a container > /data/file; mkdir /data/d; dd if=/dev/urandom of=/data/d/random bs=64k count=40 2>/dev/null; sync",
    );
  }

  async function read(driver: string, volume: string): Promise<string> {
    const options = ["-v", `${volume}:/data`, `--volume-driver=${driver}`];
    return engine.run(options, "cat /data/file; stat -c '%s %a %u' /data/d/random");
  }

  test("by a directory", async () => {
    const [here, there] = [await hostWithPlugin(), await hostWithPlugin()];
    const store = join(await scratch.directory("store"), "backups");
    await mkdir(store);
    await writeInContainer(here.driver, "road1");
    expect(await here.daemon.ok("snapshot", "create", "road1", "--name", "road-snap")).toBe("road-snap");
    const url = backupUrl(await here.daemon.ok("backup", "create", "road-snap", "--dest", `vfs://${store}/`));

    expect(await there.daemon.ok("create", "res1", "--backup", url)).toBe("res1");

    expect(await read(there.driver, "res1")).toBe("written in a container\n2621440 644 0");
  });

  test("by a volume that Docker restores itself, from the option backup", async () => {
    const [here, there] = [await hostWithPlugin(), await hostWithPlugin()];
    const store = await scratch.directory("store");
    await writeInContainer(here.driver, "road2");
    await here.daemon.ok("snapshot", "create", "road2", "--name", "road-snap2");
    const url = backupUrl(await here.daemon.ok("backup", "create", "road-snap2", "--dest", `vfs://${store}`));

    await engine.docker(["volume", "create", "--driver", there.driver, "--opt", `backup=${url}`, "res2"]);

    expect(await read(there.driver, "res2")).toBe("written in a container\n2621440 644 0");
  });

  describe.skipIf(noS3)("with an S3 server", () => {
    let s3: S3Lab;

    beforeAll(async () => {
      s3 = await s3Lab();
    });

    test("by a bucket", async () => {
      const here = await hostWithPlugin(s3.environment);
      const there = await hostWithPlugin(s3.environment);
      const bucket = await s3.makeBucket();
      const dest = `s3://${bucket}@${s3.region}/some/path/`;
      await writeInContainer(here.driver, "road3");
      await here.daemon.ok("snapshot", "create", "road3", "--name", "road-snap3");
      const create = ["backup", "--s3-endpoint", s3.endpoint, "create", "road-snap3", "--dest", dest];
      const url = backupUrl(await here.daemon.ok(...create));
      expect(url.startsWith(`${dest}?backup=backup-`)).toBe(true);

      const listed = await there.daemon.json<Record<string, { VolumeName: string; SnapshotName: string }>>(
        ...["backup", "--s3-endpoint", s3.endpoint, "list", dest],
      );
      expect(Object.values(listed).map((backup) => [backup.VolumeName, backup.SnapshotName])).toEqual([
        ["road3", "road-snap3"],
      ]);
      await there.daemon.ok("create", "res3", "--backup", url, "--s3-endpoint", s3.endpoint);

      expect(await read(there.driver, "res3")).toBe("written in a container\n2621440 644 0");

      await there.daemon.ok("backup", "--s3-endpoint", s3.endpoint, "delete", url);
      expect(await there.daemon.ok("backup", "--s3-endpoint", s3.endpoint, "list", dest)).toBe("{}");
    });

    test("a daemon without credentials says so and makes nothing", async () => {
      const here = await hostWithPlugin({
        AWS_REGION: s3.region,
        AWS_EC2_METADATA_DISABLED: "true",
        HOME: "/nonexistent",
      });
      const bucket = await s3.makeBucket();
      await here.daemon.ok("create", "road4");
      await here.daemon.ok("snapshot", "create", "road4", "--name", "road-snap4");
      const dest = `s3://${bucket}/x`;
      const message = await here.daemon.fails(
        ...["backup", "--s3-endpoint", s3.endpoint, "create", "road-snap4", "--dest", dest],
      );
      expect(message).toMatch(/credentials/i);
    });
  });
});
