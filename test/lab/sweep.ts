import { existsSync, readFileSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { run } from "./run.ts";
import { isAlive, processId } from "./run-scope.ts";

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
 * mounts, loop devices (freed with the last mount), files and plugin registrations.
 * @param copies directory in which the tests put copies of the checkout.
 */
export async function sweep(copies: string): Promise<void> {
  for (const name of await readdir(tmpdir())) if (isOrphaned(name)) await sweepDirectory(join(tmpdir(), name));
  for (const name of await namesIn(copies)) {
    const owner = /^readme-([0-9]+)$/.exec(name)?.[1];
    if (owner !== undefined && processId(Number(owner)) === undefined) await sweepDirectory(join(copies, name));
  }
  for (const name of await namesIn(PLUGINS)) if (name.startsWith(PREFIX)) await sweepPlugin(join(PLUGINS, name));
}

const PLUGINS = "/etc/docker/plugins";

/** True for the directory of a test process, or of a component of a test run, that is gone. */
function isOrphaned(name: string): boolean {
  const ofProcess = /^convoy-lab-([0-9]+)-/.exec(name)?.[1];
  if (ofProcess !== undefined) return processId(Number(ofProcess)) === undefined;
  const [, pid, started] = /^convoy-lab-[a-z0-9]+-([0-9]+)-([0-9]+)$/.exec(name) ?? [];
  return pid !== undefined && started !== undefined && !isAlive({ pid: Number(pid), started });
}

async function sweepDirectory(path: string): Promise<void> {
  for (const pid of await processesOf(path)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
  await removeDirectory(path);
}

/** Removes a plugin of the tests whose daemon's directory is gone. */
async function sweepPlugin(spec: string): Promise<void> {
  const socket = (await readFile(spec, "utf8")).trim().replace("unix://", "");
  if (!existsSync(dirname(socket))) await rm(spec, { force: true });
}

async function namesIn(directory: string): Promise<string[]> {
  return existsSync(directory) ? readdir(directory) : [];
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
