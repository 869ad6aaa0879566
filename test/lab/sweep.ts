import { readFileSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./run.ts";

/** How the names of all directories of the lab begin; the process id of their owner follows. */
export const PREFIX = "convoy-lab-";

/** Removes a directory of the lab; whatever is still mounted below it is unmounted first, never emptied. */
export async function removeDirectory(path: string): Promise<void> {
  for (const mounted of mountsBelow(path)) await run("umount", ["-l", mounted]);
  await rm(path, { recursive: true, force: true, maxRetries: 3 });
}

/** Mount points at or below a path, the deepest first. */
export function mountsBelow(path: string): string[] {
  const points = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .map((point) =>
      point.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))),
    )
    .filter((point) => point === path || point.startsWith(`${path}/`));
  return points.sort((a, b) => b.length - a.length);
}

/**
 * Removes what earlier runs left that were killed: processes that work in a lab directory of a dead test process, their
 * mounts, loop devices (freed with the last mount) and files.
 */
export async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = /^convoy-lab-([0-9]+)-/.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    const path = join(tmpdir(), name);
    for (const pid of await processesOf(path)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It ended by itself meanwhile.
      }
    }
    await removeDirectory(path);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Processes whose command line names something below `path`. */
async function processesOf(path: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of await readdir("/proc")) {
    if (!/^[0-9]+$/.test(pid)) continue;
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`${path}/`)) found.push(Number(pid));
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}
