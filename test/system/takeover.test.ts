import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { requireOrSkip } from "../lab/apt.ts";
import { backupUrl, CONVOY, Daemon } from "../lab/daemon.ts";
import { OriginalState } from "../lab/original.ts";
import { endChild, run } from "../lab/run.ts";
import { scratchPerTest } from "../lab/scratch.ts";
import { describeTree, fillRichTree } from "../lab/tree.ts";

/** Taking over the state directory and the volumes of Convoy v0.5.2 (R8). */
describe.skipIf(await requireOrSkip("acl", "attr"))("taking over from Convoy v0.5.2", () => {
  const scratch = scratchPerTest();

  async function original(): Promise<OriginalState> {
    const base = await scratch.directory("original");
    return OriginalState.make(join(base, "root"), join(base, "vfs"));
  }

  const takeOver = (state: OriginalState, configured = true) =>
    Daemon.start(scratch, { root: state.root, path: state.path, configured });

  test("R8: volumes and snapshots are there, and reading rewrites nothing", async () => {
    const state = await original();
    await fillRichTree(await state.volume("vol1"));
    await state.volume("vol2");
    await state.snapshot("vol1", "snap1");
    await state.leaveLock();
    const roots = [await describeTree(join(state.root, "vfs")), await readFile(join(state.root, "convoy.cfg"), "utf8")];
    const tree = await describeTree(state.path);

    const daemon = await takeOver(state);

    expect(await daemon.volumes()).toEqual(["vol1", "vol2"]);
    const volume = await daemon.json<{ CreatedTime: string; Snapshots: Record<string, unknown> }>("inspect", "vol1");
    expect(volume.CreatedTime).toBe("Fri Nov 20 07:05:25 +0000 2026");
    expect(volume.Snapshots).toEqual({
      snap1: {
        Name: "snap1",
        CreatedTime: "Fri Nov 20 07:05:26 +0000 2026",
        DriverInfo: {
          Driver: "vfs",
          FilePath: state.archive("vol1", "snap1"),
          SnapshotCreatedAt: "Fri Nov 20 07:05:26 +0000 2026",
          SnapshotName: "snap1",
          VolumeUUID: "vol1",
        },
      },
    });
    expect((await daemon.json("snapshot", "inspect", "snap1"))["VolumeName"]).toBe("vol1");
    await daemon.ok("info");
    await daemon.stop();
    expect(await describeTree(state.path)).toEqual(tree);
    expect([
      await describeTree(join(state.root, "vfs")),
      await readFile(join(state.root, "convoy.cfg"), "utf8"),
    ]).toEqual(roots);
  });

  test("an old snapshot is backed up as it is, restores whole, and is deleted with its archive", async () => {
    const state = await original();
    const directory = await state.volume("vol1");
    await fillRichTree(directory);
    const archive = await state.snapshot("vol1", "snap1");
    const store = await scratch.directory("store");
    const daemon = await takeOver(state);

    const url = backupUrl(await daemon.ok("backup", "create", "snap1", "--dest", `vfs://${store}`));
    const backup = /backup=([^&]*)/.exec(url)?.[1];
    const stored = join(store, `convoy-objectstore/volumes/vo/l1/vol1/BackupFiles/${backup}.bak`);
    expect((await readFile(stored)).equals(await readFile(archive))).toBe(true);
    await daemon.ok("create", "res1", "--backup", url);

    // What the original's tar keeps: no attributes, whole seconds, no holes.
    const kept = { wholeSeconds: true, noXattrs: true, noHoles: true };
    expect(await describeTree(join(daemon.path, "res1"), kept)).toEqual(await describeTree(directory, kept));

    await daemon.ok("snapshot", "delete", "snap1");
    await expect(stat(archive)).rejects.toThrow("ENOENT");
    expect((await daemon.json<{ Snapshots: object }>("inspect", "vol1")).Snapshots).toEqual({});
  });

  test("R1: fields that are unknown survive when a record is rewritten", async () => {
    const state = await original();
    await state.volume("vol1", { Later: { Nested: [1, "two"] } });
    const daemon = await takeOver(state);
    await daemon.ok("mount", "vol1");
    const record = JSON.parse(await readFile(state.recordFile("vol1"), "utf8")) as Record<string, unknown>;
    expect(record["Later"]).toEqual({ Nested: [1, "two"] });
    expect(record["MountPoint"]).toBe(join(state.path, "vol1"));
  });

  test("a mount of the original is kept as a holder and ends with umount", async () => {
    const state = await original();
    await state.volume("vol1");
    await state.mounted("vol1");
    const daemon = await takeOver(state);
    expect(await daemon.fails("delete", "vol1")).toContain("It is still mounted");
    const { Holders } = await daemon.json<{ Holders: { Kind: string }[] }>("inspect", "vol1");
    expect(Holders.map((holder) => holder.Kind)).toEqual(["legacy"]);
    await daemon.ok("umount", "vol1");
    await daemon.ok("delete", "vol1");
    expect(await daemon.volumes()).toEqual([]);
  });

  test("R8: a snapshot whose archive lies on another host is an error, and its record stays", async () => {
    const state = await original();
    await state.volume("vol1");
    await state.recordSnapshot(
      "vol1",
      "elsewhere",
      "/var/lib/rancher/convoy-of-another-host/vfs/snapshots/vol1_elsewhere.tar.gz",
    );
    const store = await scratch.directory("store");
    const daemon = await takeOver(state);
    await daemon.fails("backup", "create", "elsewhere", "--dest", `vfs://${store}`);
    await daemon.fails("snapshot", "delete", "elsewhere");
    await daemon.ok("mount", "vol1");
    const { Snapshots } = await daemon.json<{ Snapshots: object }>("inspect", "vol1");
    expect(Object.keys(Snapshots)).toEqual(["elsewhere"]);
    expect(await readFile(state.recordFile("vol1"), "utf8")).toContain("convoy-of-another-host");
  });

  test("new snapshots stand beside old ones, and what is written stays readable for the original", async () => {
    const state = await original();
    await state.volume("vol1");
    await state.snapshot("vol1", "old1");
    const daemon = await takeOver(state);
    await daemon.ok("snapshot", "create", "vol1", "--name", "new1");
    await daemon.ok("create", "vol2");
    await daemon.stop();
    const record = JSON.parse(await readFile(state.recordFile("vol1"), "utf8")) as {
      Snapshots: Record<string, { Name: string; VolumeUUID: string; FilePath: string; CreatedTime: string }>;
    };
    expect(Object.keys(record.Snapshots).sort()).toEqual(["new1", "old1"]);
    expect(record.Snapshots["new1"]).toMatchObject({ Name: "new1", VolumeUUID: "vol1" });
    expect((await stat(record.Snapshots["new1"]!.FilePath)).isDirectory()).toBe(true);
    expect(JSON.parse(await readFile(state.recordFile("vol2"), "utf8"))).toMatchObject({
      Name: "vol2",
      Size: 0,
      Path: join(state.path, "vol2"),
      MountPoint: "",
      PrepareForVM: false,
      Snapshots: {},
    });
  });

  test("R4: a running original is shut out and not disturbed", async () => {
    const state = await original();
    await state.volume("vol1");
    const holder = spawn("flock", ["-x", join(state.root, "lock"), "sh", "-c", "echo locked; exec sleep 60"]);
    scratch.defer(() => endChild(holder, "SIGKILL", 1000));
    await once(holder.stdout, "data");
    const before = await describeTree(state.root);
    const socket = join(await scratch.directory("socket"), "convoy.sock");
    const result = await run(CONVOY, ["--socket", socket, "daemon", "--root", state.root], { timeoutMs: 20_000 });
    expect(result.code).toBe(1);
    expect(JSON.parse(result.stdout)).toEqual({ Error: expect.stringContaining(join(state.root, "lock")) as string });
    expect(await describeTree(state.root)).toEqual(before);
  });

  test("R11: a root that was used before, but whose share is not mounted, changes nothing there", async () => {
    const state = await original();
    await state.volume("vol1");
    const empty = join(await scratch.directory("empty"), "vfs");
    await mkdir(empty);
    await OriginalState.make(state.root, empty);
    await rmdir(join(empty, "config"));
    const daemon = await Daemon.start(scratch, { root: state.root, path: empty, configured: true });
    expect(await daemon.fails("create", "new1")).toContain(empty);
    expect([...(await describeTree(empty)).keys()]).toEqual(["."]);
  });
});
