import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, type ProcessId, runOwner } from "./run-scope.ts";

/**
 * Starts a keeper: a program of its own that brings up a component, serves it to all test files of the run, and takes
 * it down with its directory when the run's owner is gone, however that ended.
 */
export function spawnKeeper(script: string, directory: string): void {
  const log = openSync(join(directory, "keeper.log"), "a");
  const { pid, started } = runOwner();
  spawn(process.execPath, ["--conditions=source", script, directory, String(pid), started], {
    detached: true,
    stdio: ["ignore", log, log],
  }).unref();
}

export interface Running {
  /** Written to `ready.json` for the users of the component. */
  facts: object;
  stop(): Promise<void>;
}

/** The life of a keeper: `start` brings the component up in the directory, or throws after cleaning up behind itself. */
export async function keep(start: (directory: string) => Promise<Running>): Promise<void> {
  const [directory, pid, started] = process.argv.slice(2);
  if (directory === undefined || pid === undefined || started === undefined) {
    throw new Error("usage: <keeper> <directory> <pid of the owner> <its start time>");
  }
  const owner: ProcessId = { pid: Number(pid), started };
  let running: Running | undefined;
  try {
    running = await start(directory);
    await writeFile(join(directory, "ready.json.tmp"), JSON.stringify(running.facts));
    await rename(join(directory, "ready.json.tmp"), join(directory, "ready.json"));
  } catch (error) {
    await writeFile(join(directory, "failed.txt"), String(error instanceof Error ? error.stack : error));
  }
  while (isAlive(owner)) await sleep(300);
  await running?.stop();
  await rm(directory, { recursive: true, force: true });
}
