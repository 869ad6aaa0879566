import { readdir, readFile, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { skipFor } from "../lab/apt.ts";
import { backupUrl, Daemon } from "../lab/daemon.ts";
import { mountTmpfs } from "../lab/filesystems.ts";
import { scratchPerTest } from "../lab/scratch.ts";
import { pattern } from "../lab/tree.ts";

describe.skipIf(skipFor(process.getuid?.() === 0 ? undefined : "only root can mount a small tmpfs"))(
  "disk full",
  () => {
    const scratch = scratchPerTest();
    const data = pattern(9 << 20, 3);

    const free = async (path: string) => {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    };

    async function withVolume(path?: string): Promise<Daemon> {
      const daemon = await Daemon.start(scratch, {
        ...(path === undefined ? {} : { path: join(path, "vfs") }),
        args: ["--driver-opts", "vfs.reserve=1m"],
      });
      await daemon.ok("create", "vol1");
      await writeFile(join(daemon.path, "vol1/data"), data);
      return daemon;
    }

    const intact = async (daemon: Daemon, volume: string) =>
      expect((await readFile(join(daemon.path, volume, "data"))).equals(data)).toBe(true);

    test("at a snapshot: it fails, leaves nothing, and works when there is room again", async () => {
      const small = await mountTmpfs(scratch, 24);
      const daemon = await withVolume(small);
      await writeFile(join(small, "ballast"), Buffer.alloc(8 << 20));
      const before = await free(small);
      expect(await daemon.fails("snapshot", "create", "vol1", "--name", "snap1")).toMatch(/space|full/i);
      expect(await free(small)).toBeGreaterThan(before - (1 << 20));
      expect((await daemon.json<{ Snapshots: object }>("inspect", "vol1")).Snapshots).toEqual({});
      await intact(daemon, "vol1");
      await writeFile(join(small, "ballast"), "");
      await daemon.ok("snapshot", "create", "vol1", "--name", "snap1");
    });

    test("at a backup: it fails, the store lists nothing, and works when there is room again", async () => {
      const small = await mountTmpfs(scratch, 24);
      const daemon = await withVolume();
      await daemon.ok("snapshot", "create", "vol1", "--name", "snap1");
      await writeFile(join(small, "ballast"), Buffer.alloc(18 << 20));
      const before = await free(small);
      expect(await daemon.fails("backup", "create", "snap1", "--dest", `vfs://${small}`)).toMatch(/space|full/i);
      expect(await free(small)).toBeGreaterThan(before - (1 << 20));
      expect(await daemon.ok("backup", "list", `vfs://${small}`)).toBe("{}");
      await writeFile(join(small, "ballast"), "");
      const url = backupUrl(await daemon.ok("backup", "create", "snap1", "--dest", `vfs://${small}`));
      await daemon.ok("create", "res1", "--backup", url);
      await intact(daemon, "res1");
    });

    test("at a restore: it fails before the last byte, leaves no volume, and works when there is room again", async () => {
      const source = await withVolume();
      await source.ok("snapshot", "create", "vol1", "--name", "snap1");
      const store = await scratch.directory("store");
      const url = backupUrl(await source.ok("backup", "create", "snap1", "--dest", `vfs://${store}`));
      const small = await mountTmpfs(scratch, 24);
      await writeFile(join(small, "ballast"), Buffer.alloc(16 << 20));
      const before = await free(small);
      const daemon = await Daemon.start(scratch, {
        path: join(small, "vfs"),
        args: ["--driver-opts", "vfs.reserve=1m"],
      });
      expect(await daemon.fails("create", "res1", "--backup", url)).toMatch(/space|full/i);
      expect(await daemon.volumes()).toEqual([]);
      expect((await readdir(daemon.path)).filter((name) => name !== "config")).toEqual([]);
      expect(await free(small)).toBeGreaterThan(before - (1 << 20));
      await writeFile(join(small, "ballast"), "");
      await daemon.ok("create", "res1", "--backup", url);
      await intact(daemon, "res1");
    });

    test("for records: what cannot be recorded is not acknowledged, and nothing that was there is lost", async () => {
      const small = await mountTmpfs(scratch, 24);
      const daemon = await withVolume(small);
      await writeFile(join(small, "ballast"), Buffer.alloc(30 << 20)).catch(() => undefined);
      expect(await daemon.fails("create", "vol2")).toMatch(/space|full/i);
      expect(await daemon.fails("snapshot", "create", "vol1", "--name", "snap2")).toMatch(/space|full/i);
      // A little is kept back for what running containers and tidying up need.
      await daemon.ok("mount", "vol1");
      await daemon.ok("umount", "vol1");
      await writeFile(join(small, "ballast"), "");
      expect(await daemon.volumes()).toEqual(["vol1"]);
      await intact(daemon, "vol1");
      await daemon.ok("create", "vol2");
      await daemon.ok("mount", "vol1");
    });
  },
);
