import { mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { need } from "./apt.ts";
import { run, succeed } from "./run.ts";
import type { Scratch } from "./scratch.ts";

export type FileSystem = "xfs" | "btrfs" | "ext4";

/** Smallest images that mkfs takes, in MiB. */
const SMALLEST: Record<FileSystem, number> = { xfs: 320, btrfs: 128, ext4: 8 };

/**
 * Whether file systems on loop devices can be used here.
 * @returns undefined, or the reason why not, for `skipFor` of apt.ts.
 */
export async function needFileSystem(type: FileSystem): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return `only root can mount ${type} on a loop device`;
  const missing = await need(type);
  if (missing !== undefined) return missing;
  await run("modprobe", [type]).catch(() => undefined);
  const known = (await readFile("/proc/filesystems", "utf8")).split("\n").some((line) => line.trim().endsWith(type));
  return known ? undefined : `this kernel has no ${type}`;
}

/** A new file system of the type on a sparse image, mounted. XFS has reflinks. @returns the mount point. */
export async function mountLoop(scratch: Scratch, type: FileSystem, mebibytes: number): Promise<string> {
  const base = await scratch.directory(type);
  const image = join(base, "image");
  const point = join(base, "mnt");
  await writeFile(image, "");
  await truncate(image, Math.max(mebibytes, SMALLEST[type]) * 2 ** 20);
  await succeed(`mkfs.${type}`, [
    type === "btrfs" ? "-f" : "-q",
    ...(type === "xfs" ? ["-m", "reflink=1"] : []),
    image,
  ]);
  await mkdir(point);
  await succeed("mount", ["-o", "loop", image, point]);
  scratch.defer(() => unmount(point));
  return point;
}

/** A tmpfs of limited size. @returns the mount point. */
export async function mountTmpfs(scratch: Scratch, mebibytes: number): Promise<string> {
  const point = await scratch.directory("tmpfs");
  await succeed("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m,mode=0755`, "tmpfs", point]);
  scratch.defer(() => unmount(point));
  return point;
}

/** Mounts `from` at `at` as well. */
export async function mountBind(scratch: Scratch, from: string, at: string): Promise<void> {
  await succeed("mount", ["--bind", from, at]);
  scratch.defer(() => unmount(at));
}

/** Unmounts; lazily if something still works there, so that nothing is left behind. */
export async function unmount(point: string): Promise<void> {
  const result = await run("umount", [point]);
  if (result.code !== 0 && !/not mounted|no mount point|not found/.test(result.stderr)) {
    await succeed("umount", ["-l", point]);
  }
}
