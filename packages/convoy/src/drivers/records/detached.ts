import { errnoOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import { readJson, writeJson } from "./json-file.ts";
import type { BaseRecord } from "./record-files.ts";

/** The record of a volume that was removed reference-only (R6): data and snapshots stay, and its names stay taken. */
export interface DetachedFile<R extends BaseRecord> {
  DetachedTime: string;
  Record: R;
}

const DIRECTORY = "detached";

export async function readDetached<R extends BaseRecord>(
  state: Dir,
  name: string,
  validate: (value: unknown) => string | undefined,
): Promise<DetachedFile<R> | undefined> {
  const dir = await state.trySub(DIRECTORY);
  if (dir === undefined) return undefined;
  try {
    return await readJson<DetachedFile<R>>(
      dir,
      `${name}.json`,
      (value) =>
        typeof value["DetachedTime"] === "string" &&
        validate(value["Record"]) === undefined &&
        (value["Record"] as R).Name === name,
    );
  } catch (error) {
    if (errnoOf(error) === "ENAMETOOLONG") return undefined;
    throw error;
  } finally {
    await dir.close();
  }
}

export async function listDetachedNames(state: Dir): Promise<string[]> {
  const dir = await state.trySub(DIRECTORY);
  if (dir === undefined) return [];
  try {
    return (await dir.list())
      .filter((file) => file.endsWith(".json") && !file.startsWith("."))
      .map((f) => f.slice(0, -5));
  } finally {
    await dir.close();
  }
}

export async function writeDetached<R extends BaseRecord>(state: Dir, record: R): Promise<void> {
  const dir = await state.sub(DIRECTORY, { create: true });
  try {
    await writeJson(dir, `${record.Name}.json`, { DetachedTime: new Date().toISOString(), Record: record });
  } finally {
    await dir.close();
  }
}

/** Idempotent. */
export async function removeDetached(state: Dir, name: string): Promise<void> {
  const dir = await state.trySub(DIRECTORY);
  if (dir === undefined) return;
  try {
    await dir.remove(`${name}.json`);
  } finally {
    await dir.close();
  }
}
