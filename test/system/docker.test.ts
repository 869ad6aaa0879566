import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { skipFor } from "../lab/apt.ts";
import { Daemon } from "../lab/daemon.ts";
import { Engine, LAB_IMAGE, needDocker, registerPlugin } from "../lab/docker.ts";
import { scratchPerSuite, scratchPerTest } from "../lab/scratch.ts";

describe.skipIf(skipFor(await needDocker()))("Docker Engine", () => {
  const suite = scratchPerSuite();
  const scratch = scratchPerTest();
  let engine: Engine;
  let daemon: Daemon;
  let driver: string;
  let serial = 0;

  beforeAll(async () => {
    engine = await Engine.start(suite);
    daemon = await Daemon.start(suite);
    driver = await registerPlugin(suite, daemon);
  });

  /** A volume name of this test's own. */
  const fresh = () => `dvol${++serial}`;
  const create = (name: string, ...options: string[]) =>
    engine.docker(["volume", "create", "--driver", driver, ...options, name]);
  const refused = async (name: string, ...options: string[]) => {
    const result = await engine.try(["volume", "create", "--driver", driver, ...options, name]);
    expect(result.code).toBe(1);
    return result.stderr.trim();
  };
  const holders = async (name: string, at = daemon) =>
    (await at.json<{ Holders?: { Kind: string }[] }>("inspect", name)).Holders?.map((holder) => holder.Kind) ?? [];
  const ownDaemon = async (args: string[] = []) => {
    const own = await Daemon.start(scratch, { args });
    return { own, plugin: await registerPlugin(scratch, own) };
  };

  test("docker install writes the spec file with the address of the socket, docker uninstall removes it", async () => {
    const spec = `/etc/docker/plugins/${driver}.spec`;
    expect((await readFile(spec, "utf8")).trim()).toBe(`unix://${daemon.socket}`);
    const directory = await scratch.directory("plugins");
    await daemon.ok("docker", "install", "--name", "other", "--dir", directory);
    expect((await readFile(join(directory, "other.spec"), "utf8")).trim()).toBe(`unix://${daemon.socket}`);
    await daemon.ok("docker", "uninstall", "--name", "other", "--dir", directory);
    await expect(stat(join(directory, "other.spec"))).rejects.toThrow("ENOENT");
  });

  test("volume create makes a volume, and again is a success", async () => {
    const name = fresh();
    expect(await create(name)).toBe(name);
    expect(await create(name)).toBe(name);
    expect(await daemon.volumes()).toContain(name);
  });

  test("volume ls shows the volumes of the command line too, and forgets deleted ones", async () => {
    const name = fresh();
    await daemon.ok("create", name);
    const list = () => engine.docker(["volume", "ls", "--format", "{{.Driver}} {{.Name}}"]);
    expect((await list()).split("\n")).toContain(`${driver} ${name}`);
    await daemon.ok("delete", name);
    expect((await list()).split("\n")).not.toContain(`${driver} ${name}`);
  });

  test("volume inspect shows creation time, status and the mount point only while mounted", async () => {
    const name = fresh();
    const before = Date.now() - 2000;
    await create(name);
    await daemon.ok("snapshot", "create", name, "--name", `${name}-snap`);
    const shown = await engine.inspectVolume(name);
    expect(shown.Mountpoint).toBe("");
    expect(Date.parse(shown.CreatedAt)).toBeGreaterThan(before);
    expect(JSON.stringify(shown.Status)).toContain("vfs");
    expect(JSON.stringify(shown.Status)).toContain(`${name}-snap`);
    const id = await engine.background(["-v", `${name}:/d`]);
    expect((await engine.inspectVolume(name)).Mountpoint).toBe(join(daemon.path, name));
    await engine.docker(["rm", "-f", id]);
    expect((await engine.inspectVolume(name)).Mountpoint).toBe("");
  });

  test("volume rm is reference-only: the data stay and the next create of the name has them", async () => {
    const name = fresh();
    await engine.run(["-v", `${name}:/d`, `--volume-driver=${driver}`], "echo kept > /d/file");
    await daemon.ok("snapshot", "create", name, "--name", `${name}-s`);
    await engine.docker(["volume", "rm", name]);
    expect(await daemon.volumes()).not.toContain(name);
    expect(await daemon.ok("list", "--detached")).toContain(name);
    expect(await readFile(join(daemon.path, name, "file"), "utf8")).toBe("kept\n");

    await create(name);

    expect(await engine.run(["-v", `${name}:/d`], "cat /d/file")).toBe("kept");
    expect(Object.keys((await daemon.json<{ Snapshots: object }>("inspect", name)).Snapshots)).toEqual([`${name}-s`]);
    expect(await daemon.ok("list", "--detached")).not.toContain(name);
  });

  test("volume rm of a volume that a container uses is refused", async () => {
    const name = fresh();
    await engine.background(["-v", `${name}:/d`, `--volume-driver=${driver}`]);
    expect((await engine.try(["volume", "rm", name])).stderr).toContain("volume is in use");
    expect(await daemon.volumes()).toContain(name);
  });

  test("volume rm of a volume mounted by hand is refused by the plugin", async () => {
    const name = fresh();
    await create(name);
    await daemon.ok("mount", name);
    expect((await engine.try(["volume", "rm", name])).stderr).toContain(
      `Cannot delete volume ${name}. It is still mounted`,
    );
    await daemon.ok("umount", name);
    await engine.docker(["volume", "rm", name]);
  });

  test("run makes an unknown volume, mounts it, and unmounts it at the end", async () => {
    const name = fresh();
    await engine.run(["-v", `${name}:/d`, `--volume-driver=${driver}`], "touch /d/x");
    expect(await holders(name)).toEqual([]);
    expect(await engine.run(["-v", `${name}:/d`], "ls /d")).toBe("x");
  });

  test("run --mount with volume options", async () => {
    const name = fresh();
    const mount = `type=volume,src=${name},dst=/d,volume-driver=${driver},volume-opt=size=1M,volume-opt=vm=true`;
    expect(await engine.run(["--mount", mount], "stat -c %s /d/disk.img")).toBe(String(1 << 20));
  });

  test("two containers on one volume: removing the first keeps the mount of the second", async () => {
    const name = fresh();
    const first = await engine.background(["-v", `${name}:/d`, `--volume-driver=${driver}`]);
    const second = await engine.background(["-v", `${name}:/d`]);
    expect(await holders(name)).toEqual(["docker", "docker"]);

    await engine.docker(["rm", "-f", first]);

    expect(await holders(name)).toEqual(["docker"]);
    expect(await daemon.fails("delete", name)).toContain("It is still mounted");
    expect(await engine.exec(second, "echo alive > /d/file; cat /d/file")).toBe("alive\n".trim());
    await engine.docker(["rm", "-f", second]);
    expect(await holders(name)).toEqual([]);
    await daemon.ok("delete", name);
  });

  test("umount by hand while a container runs fails and names it; the container is not disturbed", async () => {
    const name = fresh();
    const id = await engine.background(["-v", `${name}:/d`, `--volume-driver=${driver}`]);
    await daemon.ok("mount", name);
    expect(await daemon.fails("umount", name)).toContain("held by: Docker ");
    expect(await holders(name)).toEqual(["docker"]);
    await engine.docker(["rm", "-f", id]);
    expect(await holders(name)).toEqual([]);
  });

  test.each(["stop", "kill"] as const)("daemon ended by %s and started again while containers run", async (how) => {
    const { own, plugin } = await ownDaemon();
    const name = fresh();
    const first = await engine.background(["-v", `${name}:/d`, `--volume-driver=${plugin}`]);
    const second = await engine.background(["-v", `${name}:/d`]);
    await engine.exec(first, "echo before > /d/file");

    await own[how]();
    expect(await engine.exec(second, "cat /d/file; echo meanwhile > /d/file2")).toBe("before");
    await own.start();

    expect(await holders(name, own)).toEqual(["docker", "docker"]);
    await engine.docker(["rm", "-f", first]);
    expect(await own.fails("delete", name)).toContain("It is still mounted");
    await engine.docker(["rm", "-f", second]);
    expect(await holders(name, own)).toEqual([]);
    expect(await engine.run(["-v", `${name}:/d`], "cat /d/file2")).toBe("meanwhile");
    await engine.docker(["volume", "rm", name]);
  });

  test("an unknown option is refused, naming the known ones, and makes nothing", async () => {
    const name = fresh();
    const message = await refused(name, "--opt", "Size=10M");
    expect(message).toContain("Size");
    for (const known of ["size", "driver", "backup", "endpoint", "id", "type", "iops", "vm", "uid", "gid", "mode"]) {
      expect(message).toContain(known);
    }
    expect(await daemon.volumes()).not.toContain(name);
  });

  test.each([
    ["size=zz", "zz"],
    ["size=1.5G", "1.5"],
    ["driver=nosuch", "Cannot find driver nosuch"],
    ["iops=zz", "zz"],
    ["vm=perhaps", "perhaps"],
    ["backup=nonsense", "Invalid name parsed"],
    ["endpoint=http://127.0.0.1:1", "Endpoint option can only be used when creating a volume from a backup."],
    ["id=x1", "id"],
    ["mode=9999", "9999"],
    ["uid=-1", "-1"],
    ["uid=root", "root"],
  ])("bad option %s is refused and makes nothing", async (option, named) => {
    const name = fresh();
    expect(await refused(name, "--opt", option)).toContain(named);
    expect(await daemon.volumes()).not.toContain(name);
    await expect(stat(join(daemon.path, name))).rejects.toThrow("ENOENT");
  });

  test("size on vfs is accepted although it has no effect", async () => {
    const name = fresh();
    expect(await create(name, "--opt", "size=10G")).toBe(name);
  });

  test.each(["x", "a b", "config", "../evil", "a/../../evil", `n${"x".repeat(127)}`])(
    "name %j is refused",
    async (name) => {
      await refused(name);
      const names = await daemon.volumes();
      expect(names).not.toContain(name);
    },
  );

  test("a volume without a name gets Docker's 64 hex digits", async () => {
    const name = await engine.docker(["volume", "create", "--driver", driver]);
    expect(name).toMatch(/^[0-9a-f]{64}$/);
    expect(await daemon.volumes()).toContain(name);
  });

  test("uid, gid and mode let a container that does not run as root write", async () => {
    const name = fresh();
    await create(name, "--opt", "uid=1234", "--opt", "gid=2345", "--opt", "mode=0770");
    expect(
      await engine.run(["--user", "1234:2345", "-v", `${name}:/d`], "echo mine > /d/f; stat -c '%u:%g' /d/f"),
    ).toBe("1234:2345");
    expect(await engine.run(["-v", `${name}:/d`], "stat -c '%u:%g %a' /d")).toBe("1234:2345 770");
    const others = fresh();
    await create(others);
    const result = await engine.try([
      ...["run", "--rm", "--network", "none", "--user", "1234:2345", "-v", `${others}:/d`, LAB_IMAGE],
      ...["/bin/sh", "-c", "touch /d/f"],
    ]);
    expect(result.code).not.toBe(0);
  });

  test("--ignore-docker-delete: volume rm changes nothing", async () => {
    const { own, plugin } = await ownDaemon(["--ignore-docker-delete"]);
    const name = fresh();
    await engine.run(["-v", `${name}:/d`, `--volume-driver=${plugin}`], "echo still > /d/file");
    await engine.docker(["volume", "rm", name]);
    expect(await own.volumes()).toEqual([name]);
    expect(await own.ok("list", "--detached")).toBe("{}");
    expect(await engine.run(["-v", `${name}:/d`], "cat /d/file")).toBe("still");
  });

  test("--create-on-docker-mount: Mount of an unknown volume creates it, but not under a bad name", async () => {
    const { own } = await ownDaemon(["--create-on-docker-mount"]);
    const mounted = await own.rest("POST", "/VolumeDriver.Mount", { Name: "onmount", ID: "a1" });
    expect(JSON.parse(mounted.body)).toEqual({ Mountpoint: join(own.path, "onmount") });
    expect(await own.volumes()).toEqual(["onmount"]);
    const refusal = await own.rest("POST", "/VolumeDriver.Mount", { Name: "../evil", ID: "a2" });
    expect(JSON.parse(refusal.body)).toHaveProperty("Err");
    expect(await own.volumes()).toEqual(["onmount"]);
    const without = await daemon.rest("POST", "/VolumeDriver.Mount", { Name: "nosuchvolume", ID: "a3" });
    expect(JSON.parse(without.body)).toEqual({ Err: "Couldn't find volume." });
  });

  test("--docker-remove=delete: volume rm deletes data and snapshots", async () => {
    const { own, plugin } = await ownDaemon(["--docker-remove", "delete"]);
    const name = fresh();
    await engine.run(["-v", `${name}:/d`, `--volume-driver=${plugin}`], "touch /d/file");
    await own.ok("snapshot", "create", name, "--name", "gone-snap");
    await engine.docker(["volume", "rm", name]);
    await expect(stat(join(own.path, name))).rejects.toThrow("ENOENT");
    expect(await own.ok("list", "--detached")).toBe("{}");
    await engine.docker(["volume", "create", "--driver", plugin, name]);
    expect(await engine.run(["-v", `${name}:/d`], "ls -A /d")).toBe("");
    expect((await own.json<{ Snapshots: object }>("inspect", name)).Snapshots).toEqual({});
  });

  test("--docker-scope global is what Docker shows", async () => {
    const { plugin } = await ownDaemon(["--docker-scope", "global"]);
    const name = fresh();
    await engine.docker(["volume", "create", "--driver", plugin, name]);
    expect((await engine.inspectVolume(name)).Scope).toBe("global");
    const usual = fresh();
    await create(usual);
    expect((await engine.inspectVolume(usual)).Scope).toBe("local");
  });

  test("a damaged record hides no other volume from Docker", async () => {
    // An engine of its own: the other one waits long for the daemons of earlier tests when it lists.
    const other = await Engine.start(scratch);
    const { own, plugin } = await ownDaemon();
    const [good, bad] = [fresh(), fresh()];
    await own.ok("create", good);
    await own.ok("create", bad);
    await writeFile(join(own.path, "config", `vfs_volume_${bad}.json`), "{ damaged");
    await other.docker(["volume", "create", "--driver", plugin, good]);
    const listed = await other.docker(["volume", "ls", "--format", "{{.Driver}} {{.Name}}"]);
    expect(listed.split("\n")).toContain(`${plugin} ${good}`);
    const message = (await other.try(["run", "--rm", "-v", `${bad}:/d`, `--volume-driver=${plugin}`, LAB_IMAGE, "ls"]))
      .stderr;
    expect(message).toContain(bad);
  });

  test("the daemon is away for less than Docker's patience: nobody notices", async () => {
    const { own, plugin } = await ownDaemon();
    const name = fresh();
    await engine.docker(["volume", "create", "--driver", plugin, name]);
    await own.stop();
    const running = engine.run(["-v", `${name}:/d`], "echo patient");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await own.start();
    expect(await running).toBe("patient");
  });
});
