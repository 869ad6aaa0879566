import { mkdir, readdir, readlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scratch } from "../../../../../test/lab/scratch.ts";
import { silentLog } from "../log.ts";
import type { OperationContext, Progress } from "../operation.ts";
import type { TaskContext } from "../workers/index.ts";
import { type ManifestEntry, readManifest } from "./manifest.ts";
import { type SnapshotRequest, type SnapshotResult, snapshotTree } from "./snapshot.ts";
import { snapshot } from "./snapshot-walk.ts";

export function testContext(changes: Partial<OperationContext> = {}): OperationContext {
  return { signal: new AbortController().signal, log: silentLog(), progress: () => {}, ...changes };
}

/** A place for a snapshot beside nothing else: `target` is there and empty, `manifest` is not there. */
export async function makePlace(scratch: Scratch, base?: string): Promise<{ target: string; manifest: string }> {
  const place = base ?? (await scratch.directory("snapshot"));
  await mkdir(join(place, "tree"));
  return { target: join(place, "tree"), manifest: join(place, "manifest") };
}

export interface Taken {
  result: SnapshotResult;
  target: string;
  manifest: string;
  /** By path as latin1. */
  entries: Map<string, ManifestEntry>;
}

export async function readEntries(manifest: string): Promise<Map<string, ManifestEntry>> {
  const entries = new Map<string, ManifestEntry>();
  for await (const entry of readManifest(manifest)) entries.set(entry.path.toString("latin1"), entry);
  return entries;
}

/** A snapshot as the driver takes it. */
export async function take(
  scratch: Scratch,
  source: string,
  options: { base?: string; reflink?: NonNullable<SnapshotRequest["reflink"]> } = {},
): Promise<Taken> {
  const place = await makePlace(scratch, options.base);
  const reflink = options.reflink === undefined ? {} : { reflink: options.reflink };
  const result = await snapshotTree({ source, ...place, ...reflink }, testContext());
  return { result, ...place, entries: await readEntries(place.manifest) };
}

/**
 * A snapshot in this thread, which calls `onStep` between any two entries with the number of steps before: a source that
 * changes at exactly known moments.
 */
export async function takeStepwise(scratch: Scratch, source: string, onStep: (step: number) => void): Promise<Taken> {
  const place = await makePlace(scratch);
  let steps = 0;
  const context: TaskContext<Progress> = {
    cancelled: false,
    throwIfCancelled: () => onStep(steps++),
    progress: () => {},
    transfer: [],
  };
  const result = snapshot({ source, ...place }, context);
  return { result, ...place, entries: await readEntries(place.manifest) };
}

/** Files and directories of tests that this process has open; threads and pipes come and go. */
export async function openDescriptors(): Promise<string[]> {
  const paths: string[] = [];
  for (const fd of await readdir("/proc/self/fd")) {
    const path = await readlink(`/proc/self/fd/${fd}`).catch(() => "closed");
    if (path.startsWith(tmpdir())) paths.push(path);
  }
  return paths.sort();
}
