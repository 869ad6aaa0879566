import { access, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { skipFor } from "../lab/apt.ts";
import { answers, backupUrl, CONVOY, Daemon } from "../lab/daemon.ts";
import { mountBind } from "../lab/filesystems.ts";
import { OriginalState } from "../lab/original.ts";
import { run, succeed } from "../lab/run.ts";
import { scratchPerTest } from "../lab/scratch.ts";

const notRoot = skipFor(process.getuid?.() === 0 ? undefined : "only root can mount");

/** What Convoy v0.5.2 did wrong and must not come back; each test bears the name of the defect. */
describe("defects of the original", () => {
  const scratch = scratchPerTest();
  let daemon: Daemon;
  let store: string;

  beforeEach(async () => {
    daemon = await Daemon.start(scratch);
    store = await scratch.directory("store");
  });

  const gone = (path: string) => expect(access(path)).rejects.toThrow("ENOENT");
  const volumeDirectory = (name: string) =>
    join(store, "convoy-objectstore/volumes", name.slice(0, 2), name.slice(2, 4), name);
  const record = (name: string) => join(daemon.path, "config", `vfs_volume_${name}.json`);

  /** A volume with one file, a snapshot of it and a backup. @returns the backup's URL. */
  async function backedUp(name: string, content = `content of ${name}`): Promise<string> {
    await daemon.ok("create", name);
    await writeFile(join(daemon.path, name, "file"), content);
    await daemon.ok("snapshot", "create", name, "--name", `${name}-snap`);
    return backupUrl(await daemon.ok("backup", "create", `${name}-snap`, "--dest", `vfs://${store}`));
  }

  test.each(["a", "bad name!", "../evil", "a/../../evil", "/tmp/evil", ".hidden", "x\ny", "näme", "n".repeat(128)])(
    "names never validated on create: %j",
    async (name) => {
      expect(await daemon.fails("create", name)).toContain("nvalid");
      const answer = await daemon.rest("POST", "/volumes/create", { Name: name });
      expect(answer.status).toBe(400);
      expect(answer.body).toContain(`Invalid name ${name}`);
      expect(await daemon.volumes()).toEqual([]);
      expect((await readdir(daemon.path)).filter((entry) => entry !== "config")).toEqual([]);
      await gone(join(daemon.base, "evil"));
    },
  );

  test("a volume called config", async () => {
    await daemon.ok("create", "other");
    expect(await daemon.fails("create", "config")).toContain("config");
    expect(await daemon.fails("rename", "other", "config")).toContain("config");
    await daemon.fails("delete", "config");
    expect(await daemon.volumes()).toEqual(["other"]);
    await access(record("other"));
  });

  test("restore of x destroying x.tmp", async () => {
    const url = await backedUp("source");
    await daemon.ok("create", "xx.tmp");
    await writeFile(join(daemon.path, "xx.tmp/file"), "mine");
    await daemon.ok("create", "xx", "--backup", url);
    expect(await readFile(join(daemon.path, "xx.tmp/file"), "utf8")).toBe("mine");
    expect(await readFile(join(daemon.path, "xx/file"), "utf8")).toBe("content of source");
  });

  test("restore over an existing directory destroying its content", async () => {
    const url = await backedUp("source");
    await mkdir(join(daemon.path, "occupied"));
    await writeFile(join(daemon.path, "occupied/precious"), "mine");
    await daemon.fails("create", "occupied", "--backup", url);
    expect(await readFile(join(daemon.path, "occupied/precious"), "utf8")).toBe("mine");
    expect(await daemon.volumes()).toEqual(["source"]);
  });

  test.each(["", "{", "[]", '{"Name":7}', "null", '{"Name":"other"}'])(
    "one bad record emptying the list: %j",
    async (content) => {
      await daemon.ok("create", "good");
      await daemon.ok("snapshot", "create", "good", "--name", "good-snap");
      await daemon.ok("create", "bad");
      await writeFile(record("bad"), content);
      expect(await daemon.volumes()).toContain("good");
      expect(await daemon.fails("inspect", "bad")).toContain("bad");
      await daemon.restart();
      expect(await daemon.volumes()).toContain("good");
      expect((await daemon.json("snapshot", "inspect", "good-snap"))["VolumeName"]).toBe("good");
      await daemon.ok("create", "another");
    },
  );

  test("one bad record emptying the list: a record with an invalid name", async () => {
    await daemon.ok("create", "good");
    await writeFile(
      record("-lead"),
      JSON.stringify({ Name: "-lead", Path: join(daemon.path, "-lead"), Snapshots: {} }),
    );
    expect(await daemon.volumes()).toContain("good");
  });

  test.skipIf(notRoot)("substring mount tests: a mount below vol10 does not concern vol1", async () => {
    await daemon.ok("create", "vol1");
    await daemon.ok("create", "vol10");
    const outside = await scratch.directory("outside");
    await writeFile(join(outside, "precious"), "mine");
    const point = join(daemon.path, "vol10/mounted");
    await mkdir(point);
    await mountBind(scratch, outside, point);
    await daemon.ok("delete", "vol1");
    expect(await daemon.fails("delete", "vol10")).toContain(point);
    expect(await readFile(join(outside, "precious"), "utf8")).toBe("mine");
    expect(await daemon.volumes()).toEqual(["vol10"]);
  });

  test("leftovers after a failed restore", async () => {
    const url = await backedUp("source");
    const archives = join(volumeDirectory("source"), "BackupFiles");
    const [archive] = await readdir(archives);
    const whole = await readFile(join(archives, archive!));
    await writeFile(join(archives, archive!), whole.subarray(0, whole.length >> 1));
    await daemon.fails("create", "broken", "--backup", url);
    await gone(join(daemon.path, "broken"));
    expect(await daemon.volumes()).toEqual(["source"]);
    await daemon.ok("create", "broken");
    expect(await readdir(join(daemon.path, "broken"))).toEqual([]);
  });

  test("leftovers after a snapshot that was cut off", async () => {
    await daemon.ok("create", "vol1");
    await writeFile(join(daemon.path, "vol1/big"), Buffer.alloc(200 << 20, "b"));
    const cut = daemon.rest("POST", "/snapshots/create", { VolumeName: "vol1", Name: "snap1" }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 60));
    await daemon.kill();
    await cut;
    await daemon.start();
    const { Snapshots } = await daemon.json<{ Snapshots: object }>("inspect", "vol1");
    if (!("snap1" in Snapshots)) await daemon.ok("snapshot", "create", "vol1", "--name", "snap1");
    const place = (await daemon.json<{ DriverInfo: { FilePath: string } }>("snapshot", "inspect", "snap1")).DriverInfo;
    expect((await stat(join(place.FilePath, "big"))).size).toBe(200 << 20);
    await daemon.ok("snapshot", "delete", "snap1");
    await gone(place.FilePath);
  });

  test("a deleted volume's snapshots staying behind", async () => {
    await backedUp("vol1");
    const { FilePath } = (await daemon.json<{ DriverInfo: { FilePath: string } }>("snapshot", "inspect", "vol1-snap"))
      .DriverInfo;
    await daemon.ok("delete", "vol1");
    await gone(FilePath);
    await daemon.ok("create", "vol2");
    await daemon.ok("snapshot", "create", "vol2", "--name", "vol1-snap");
    expect((await daemon.json("snapshot", "inspect", "vol1-snap"))["VolumeName"]).toBe("vol2");
  });

  test("a stolen socket", async () => {
    const thief = await run(
      CONVOY,
      [
        ...["--socket", daemon.socket, "daemon", "--root", join(await scratch.directory("thief"), "root")],
        ...["--drivers", "vfs", "--driver-opts", `vfs.path=${store}/vfs`],
      ],
      { timeoutMs: 20_000 },
    );
    expect(thief.code).toBe(1);
    expect(thief.stdout).toContain("in use");
    expect(await answers(daemon.socket)).toBe(true);
    expect((await daemon.json<{ General: { Root: string } }>("info")).General.Root).toBe(daemon.root);
  });

  test("a stolen socket: neither from a program that is no convoy", async () => {
    const other = createServer((socket) => socket.end());
    const socket = join(await scratch.directory("other"), "other.sock");
    await new Promise<void>((resolve) => other.listen(socket, resolve));
    scratch.defer(() => new Promise((resolve) => other.close(resolve)));
    const result = await run(
      CONVOY,
      [
        ...["--socket", socket, "daemon", "--root", join(await scratch.directory("thief"), "root")],
        ...["--drivers", "vfs", "--driver-opts", `vfs.path=${store}/vfs`],
      ],
      { timeoutMs: 20_000 },
    );
    expect(result.code).toBe(1);
    expect(await answers(socket)).toBe(true);
  });

  test.each([
    [["--id", "x1"], "id"],
    [["--iops", "abc"], "abc"],
    [["--s3-endpoint", "http://127.0.0.1:9"], "Endpoint option can only be used"],
    [["--driver", "nosuch"], "Cannot find driver nosuch"],
  ])("options silently ignored: %j is refused", async (options, named) => {
    expect(await daemon.fails("create", "vol1", ...options)).toContain(named);
    expect(await daemon.volumes()).toEqual([]);
  });

  test.each([
    ["--size", "10G"],
    ["--type", "gp2"],
    ["--iops", "100"],
  ])("options silently ignored: %s is accepted with a warning", async (option, value) => {
    const result = await daemon.convoy(["create", "vol1", option, value]);
    expect([result.code, result.stdout]).toEqual([0, "vol1\n"]);
    expect(result.stderr).toContain(option.slice(2));
  });

  test("options silently ignored: those of a later start are reported", async () => {
    await daemon.stop();
    await daemon.start(["--driver-opts", "vfs.defaultvolumesize=7G", "--ignore-docker-delete"]);
    const log = await daemon.log();
    expect(log).toContain("vfs.defaultvolumesize");
    expect(log).toContain("ignore-docker-delete");
  });

  test("= inside an option value", async () => {
    const path = join(await scratch.directory("equals"), "a=b=c");
    const other = await Daemon.start(scratch, { path });
    await other.ok("create", "vol1");
    expect((await stat(join(path, "vol1"))).isDirectory()).toBe(true);
  });

  test.each(["99999999999T", "9223372036854775808", "-5", "1.5G", "10GB"])("size overflow: %s", async (size) => {
    expect(await daemon.fails("create", "vol1", "--vm", `--size=${size}`)).toContain(size);
    expect(await daemon.volumes()).toEqual([]);
  });

  test("upload of a missing archive reported as success", async () => {
    const base = await scratch.directory("original");
    const state = await OriginalState.make(join(base, "root"), join(base, "vfs"));
    await state.volume("vol1");
    const archive = await state.snapshot("vol1", "snap1");
    await rm(archive);
    const taken = await Daemon.start(scratch, { root: state.root, path: state.path, configured: true });
    await taken.fails("backup", "create", "snap1", "--dest", `vfs://${store}`);
    expect(await taken.ok("backup", "list", `vfs://${store}`)).toBe("{}");
  });

  test("a listing that fails because a volume is deleted meanwhile", async () => {
    const names = Array.from({ length: 12 }, (_, index) => `vol${index}`);
    await Promise.all(names.map((name) => daemon.rest("POST", "/volumes/create", { Name: name })));
    await daemon.ok("create", "stays");
    const deleted = Promise.all(names.map((name) => daemon.rest("DELETE", "/volumes/", { VolumeName: name })));
    for (let round = 0; round < 20; round += 1) expect(await daemon.volumes()).toContain("stays");
    await deleted;
    expect(await daemon.volumes()).toEqual(["stays"]);
  });

  test("records that are missing for a moment while they are rewritten", async () => {
    await daemon.ok("create", "vol1");
    let reads = 0;
    let over = false;
    const watch = (async () => {
      while (!over) {
        expect((JSON.parse(await readFile(record("vol1"), "utf8")) as { Name: string }).Name).toBe("vol1");
        reads += 1;
      }
    })();
    for (let round = 0; round < 60; round += 1) {
      await daemon.rest("POST", "/volumes/mount", { VolumeName: "vol1" });
      await daemon.rest("POST", "/volumes/umount", { VolumeName: "vol1" });
    }
    over = true;
    await watch;
    expect(reads).toBeGreaterThan(60);
  });

  test("R31: delete removing whatever path a forged record names", async () => {
    await daemon.ok("create", "vol1");
    const precious = await scratch.directory("precious");
    await writeFile(join(precious, "file"), "mine");
    const forged = { ...JSON.parse(await readFile(record("vol1"), "utf8")), Path: precious } as object;
    await writeFile(record("vol1"), JSON.stringify(forged));
    await daemon.convoy(["delete", "vol1"]);
    expect(await readFile(join(precious, "file"), "utf8")).toBe("mine");
  });

  test("R31: backup delete removing whatever path a forged cfg names", async () => {
    const url = await backedUp("vol1");
    const other = await backedUp("vol2");
    const cfgs = join(volumeDirectory("vol1"), "backups");
    const [cfg] = await readdir(cfgs);
    for (const FilePath of [
      "convoy-objectstore",
      "",
      "../../../../etc",
      join(volumeDirectory("vol2"), "BackupFiles"),
    ]) {
      const content = JSON.parse(await readFile(join(cfgs, cfg!), "utf8")) as object;
      await writeFile(join(cfgs, cfg!), JSON.stringify({ ...content, SingleFile: { FilePath } }));
      await daemon.fails("backup", "delete", url);
      await daemon.fails("create", "res1", "--backup", url);
    }
    await daemon.ok("create", "res2", "--backup", other);
    expect(await readFile(join(daemon.path, "res2/file"), "utf8")).toBe("content of vol2");
    expect(await daemon.volumes()).not.toContain("res1");
  });

  test("R32: a FIFO in place of a record, a cfg or an archive hanging the daemon", async () => {
    const url = await backedUp("vol1");
    const good = await backedUp("vol2");
    await daemon.ok("create", "bad");
    await rm(record("bad"));
    await succeed("mkfifo", [record("bad")]);
    const [cfg] = await readdir(join(volumeDirectory("vol1"), "backups"));
    await rm(join(volumeDirectory("vol1"), "backups", cfg!));
    await succeed("mkfifo", [join(volumeDirectory("vol1"), "backups", cfg!)]);

    expect(await daemon.volumes()).toEqual(expect.arrayContaining(["vol1", "vol2"]));
    await daemon.fails("inspect", "bad");
    await daemon.fails("create", "res1", "--backup", url);
    expect(await daemon.ok("backup", "list", `vfs://${store}`)).toContain(/backup=([^&]*)/.exec(good)![1]!);
    const [archive] = await readdir(join(volumeDirectory("vol2"), "BackupFiles"));
    await rm(join(volumeDirectory("vol2"), "BackupFiles", archive!));
    await succeed("mkfifo", [join(volumeDirectory("vol2"), "BackupFiles", archive!)]);
    await daemon.fails("create", "res2", "--backup", good);
    expect(await daemon.volumes()).not.toContain("res2");
    await daemon.restart();
    expect(await daemon.volumes()).toEqual(expect.arrayContaining(["vol1", "vol2"]));
  });

  test("R32: planted links are not followed", async () => {
    const precious = await scratch.directory("precious");
    await writeFile(join(precious, "file"), "mine");
    const url = await backedUp("vol1");
    // A link in place of a volume's directory, of an archive, and of a volume to be made.
    await daemon.ok("create", "linked");
    await rm(join(daemon.path, "linked"), { recursive: true });
    await symlink(precious, join(daemon.path, "linked"));
    await daemon.convoy(["delete", "linked"]);
    await daemon.fails("snapshot", "create", "linked");
    const archives = join(volumeDirectory("vol1"), "BackupFiles");
    const [archive] = await readdir(archives);
    await rename(join(archives, archive!), join(precious, "archive"));
    await symlink(join(precious, "archive"), join(archives, archive!));
    await daemon.fails("create", "res1", "--backup", url);
    await symlink(precious, join(daemon.path, "planted"));
    await daemon.fails("create", "planted");
    expect((await readdir(precious)).sort()).toEqual(["archive", "file"]);
    expect(await readFile(join(precious, "file"), "utf8")).toBe("mine");
  });

  test("two winners among simultaneous creates", async () => {
    for (let round = 0; round < 20; round += 1) {
      const name = `race${round}`;
      const tries = Array.from({ length: 8 }, () => daemon.rest("POST", "/volumes/create", { Name: name }));
      const won = (await Promise.all(tries)).filter((answer) => answer.status === 200);
      expect(won).toHaveLength(1);
    }
  });

  test("a snapshot and a volume, or two snapshots, taking one name at the same moment", async () => {
    await daemon.ok("create", "vol1");
    await daemon.ok("create", "vol2");
    for (let round = 0; round < 10; round += 1) {
      const Name = `snap${round}`;
      const tries = ["vol1", "vol2"].map((VolumeName) =>
        daemon.rest("POST", "/snapshots/create", { VolumeName, Name }),
      );
      const statuses = (await Promise.all(tries)).map((answer) => answer.status).sort();
      expect(statuses).toEqual([200, 400]);
      await daemon.ok("snapshot", "inspect", Name);
    }
  });

  test("a chosen mount point that keeps the daemon from starting", async () => {
    expect(await daemon.fails("mount", "nosuch", "--mountpoint", "/mnt")).toContain("nosuch");
    await daemon.ok("create", "vol1");
    expect(await daemon.fails("mount", "vol1", "--mountpoint", "/mnt")).toContain(
      "VFS doesn't support specified mount point",
    );
    await daemon.stop();
    const content = JSON.parse(await readFile(record("vol1"), "utf8")) as object;
    await writeFile(record("vol1"), JSON.stringify({ ...content, MountPoint: "/mnt/elsewhere" }));
    await daemon.start();
    expect(await daemon.volumes()).toEqual(["vol1"]);
  });

  test("a saved configuration that cannot be read is named", async () => {
    await daemon.stop();
    await writeFile(join(daemon.root, "convoy.cfg"), "{ not json");
    await expect(daemon.start()).rejects.toThrow("convoy.cfg");
  });

  test("a root that was copied working on the old one", async () => {
    await daemon.ok("create", "vol1");
    await daemon.stop();
    const copy = join(await scratch.directory("copy"), "root");
    await succeed("cp", ["-a", daemon.root, copy]);
    await expect(Daemon.start(scratch, { root: copy, path: daemon.path })).rejects.toThrow(daemon.root);
  });
});
