import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A process, told apart from a later one of the same number by its start time (proc(5), field 22). */
export interface ProcessId {
  pid: number;
  started: string;
}

export function processId(pid: number): ProcessId | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold blanks; field 3 follows it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z") return undefined;
    return { pid, started: fields[19]! };
  } catch {
    return undefined;
  }
}

export function isAlive(id: ProcessId): boolean {
  return processId(id.pid)?.started === id.started;
}

/** The process whose end is the end of the test run: Vitest's own, or this one when a program runs by itself. */
export function runOwner(): ProcessId {
  const owner = processId(process.env["VITEST"] === undefined ? process.pid : process.ppid);
  if (owner === undefined) throw new Error("lab: the test runner's process is gone");
  return owner;
}

/** Directory of a component that all test files of one run share. */
export function runDirectory(component: string): string {
  const { pid, started } = runOwner();
  return join(tmpdir(), `convoy-lab-${component}-${pid}-${started}`);
}
