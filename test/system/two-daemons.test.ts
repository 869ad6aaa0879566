import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { backupUrl, Daemon } from "../lab/daemon.ts";
import { scratchPerTest } from "../lab/scratch.ts";

/** Two hosts on one share: two daemons, each with its own root, on one local tree. */
describe("two daemons on one tree", () => {
  const scratch = scratchPerTest();
  let one: Daemon;
  let two: Daemon;

  beforeEach(async () => {
    const path = join(await scratch.directory("tree"), "vfs");
    one = await Daemon.start(scratch, { path });
    two = await Daemon.start(scratch, { path });
  });

  const both = (method: string, path: string, body: unknown) =>
    Promise.all([one, two].map((daemon) => daemon.rest(method, path, body)));

  test("of simultaneous creates of one name exactly one wins", async () => {
    for (let round = 0; round < 15; round += 1) {
      const name = `race${round}`;
      const answers = (await Promise.all([0, 1, 2].map(() => both("POST", "/volumes/create", { Name: name })))).flat();
      expect(answers.filter((answer) => answer.status === 200).map((answer) => answer.body)).toEqual([name]);
      for (const answer of answers.filter((lost) => lost.status !== 200)) {
        expect(answer.body).toContain(`Volume ${name} already exists`);
      }
      expect(await two.volumes()).toEqual(await one.volumes());
    }
  });

  test("of simultaneous snapshots of one name on two volumes exactly one wins", async () => {
    await one.ok("create", "vol1");
    await one.ok("create", "vol2");
    for (let round = 0; round < 8; round += 1) {
      const Name = `snap${round}`;
      const answers = await Promise.all([
        one.rest("POST", "/snapshots/create", { VolumeName: "vol1", Name }),
        two.rest("POST", "/snapshots/create", { VolumeName: "vol2", Name }),
      ]);
      expect(answers.map((answer) => answer.status).sort()).toEqual([200, 400]);
      expect(answers.find((answer) => answer.status === 400)?.body).toContain(`Snapshot name ${Name} already exists`);
    }
  });

  test("volumes and snapshots of one are seen, backed up and restored by the other", async () => {
    await one.ok("create", "vol1");
    await writeFile(join(one.path, "vol1/file"), "from one");
    await one.ok("snapshot", "create", "vol1", "--name", "snap1");
    await writeFile(join(one.path, "vol1/file"), "later");
    expect((await two.json("snapshot", "inspect", "snap1"))["VolumeName"]).toBe("vol1");
    const store = await scratch.directory("store");
    const url = backupUrl(await two.ok("backup", "create", "snap1", "--dest", `vfs://${store}`));
    await one.ok("create", "res1", "--backup", url);
    expect(await readFile(join(two.path, "res1/file"), "utf8")).toBe("from one");
    await two.ok("snapshot", "delete", "snap1");
    expect(await one.fails("snapshot", "inspect", "snap1")).toContain("snap1");
  });

  test("delete is refused while the other host holds a mount", async () => {
    await one.ok("create", "vol1");
    await one.ok("mount", "vol1");
    expect(await two.fails("delete", "vol1")).toBe(
      "Error response from server, Cannot delete volume vol1. It is still mounted",
    );
    expect(await two.fails("delete", "--reference", "vol1")).toContain("It is still mounted");
    await two.fails("rename", "vol1", "vol2");
    await one.ok("umount", "vol1");
    await two.ok("delete", "vol1");
    expect(await one.volumes()).toEqual([]);
  });

  test("umount on one host leaves the other's mount; --force --root ends it by name", async () => {
    await one.ok("create", "vol1");
    await one.ok("mount", "vol1");
    await two.ok("mount", "vol1");
    expect(await two.fails("umount", "vol1")).toContain("held by: a mount by hand");
    const inspect = () => two.json<{ MountPoint: string; Holders: { Root: string }[] }>("inspect", "vol1");
    const { Holders, MountPoint } = await inspect();
    expect(Holders).toHaveLength(1);
    expect(MountPoint).toBe(join(one.path, "vol1"));
    await two.ok("umount", "--force", "--root", Holders[0]!.Root, "vol1");
    expect((await inspect()).MountPoint).toBe("");
  });

  test("R9: a killed daemon's mounts still protect the volume from the other host", async () => {
    await one.ok("create", "vol1");
    await one.ok("mount", "vol1");
    await one.kill();
    expect(await two.fails("delete", "vol1")).toContain("It is still mounted");
    await one.start();
    await one.ok("umount", "vol1");
    await two.ok("delete", "vol1");
  });

  test("R6: a name removed reference-only is taken back by either host, snapshots included", async () => {
    await one.ok("create", "vol1");
    await writeFile(join(one.path, "vol1/file"), "kept");
    await one.ok("snapshot", "create", "vol1", "--name", "snap1");
    await one.ok("delete", "--reference", "vol1");
    expect(await two.volumes()).toEqual([]);
    expect(await two.ok("list", "--detached")).toContain("vol1");
    await two.ok("create", "vol2");
    const refused = await two.convoy(["rename", "vol2", "vol1"]);
    expect(refused.code).toBe(1);
    // The ways out: take it back, or end it.
    expect(refused.stderr).toContain("convoy create vol1");
    expect(refused.stderr).toContain("convoy delete --detached vol1");
    expect(await two.fails("snapshot", "create", "vol2", "--name", "snap1")).toContain("already exists");

    await two.ok("create", "vol1");

    const { Snapshots } = await one.json<{ Snapshots: object }>("inspect", "vol1");
    expect(Object.keys(Snapshots)).toEqual(["snap1"]);
    expect(await readFile(join(one.path, "vol1/file"), "utf8")).toBe("kept");
    expect(await one.ok("list", "--detached")).toBe("{}");
  });

  test("R6: delete --detached on one host ends it for both", async () => {
    await one.ok("create", "vol1");
    await writeFile(join(one.path, "vol1/file"), "going");
    await one.ok("delete", "--reference", "vol1");
    await two.ok("delete", "--detached", "vol1");
    expect(await one.ok("list", "--detached")).toBe("{}");
    await one.ok("create", "vol1");
    await expect(readFile(join(one.path, "vol1/file"))).rejects.toThrow("ENOENT");
  });

  test("a rename on one host is seen by the other", async () => {
    await one.ok("create", "vol1");
    await two.ok("rename", "vol1", "vol2");
    expect(await one.volumes()).toEqual(["vol2"]);
    await one.ok("mount", "vol2");
    expect(await two.fails("rename", "vol2", "vol3")).toContain("vol2");
  });

  test("backups of one volume by both at once into one store are both whole, or one is refused by name", async () => {
    await one.ok("create", "vol1");
    await writeFile(join(one.path, "vol1/file"), Buffer.alloc(3 << 20, "x"));
    await one.ok("snapshot", "create", "vol1", "--name", "snap1");
    const store = await scratch.directory("store");
    const answers = await both("POST", "/backups/create", { SnapshotName: "snap1", URL: `vfs://${store}` });
    const urls = answers.filter((answer) => answer.status === 200).map((answer) => backupUrl(answer.body));
    expect(urls.length).toBeGreaterThan(0);
    expect(Object.keys(await one.json("backup", "list", `vfs://${store}`))).toHaveLength(urls.length);
    for (const [number, url] of urls.entries()) {
      await two.ok("create", `res${number}`, "--backup", url);
      expect((await readFile(join(two.path, `res${number}/file`))).equals(Buffer.alloc(3 << 20, "x"))).toBe(true);
    }
  });
});
