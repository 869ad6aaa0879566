import type { Dir } from "../../host/dir.ts";
import { newId } from "../../host/root.ts";
import { readJson, writeJson } from "./json-file.ts";

/**
 * The random ids of a volume and its snapshots (R20), in a file of ours: Convoy v0.5.2 drops unknown fields when it
 * rewrites a record. Keyed by name and creation time, so that a volume which an original re-created under the same
 * name is another volume.
 */
export interface Identity {
  Name: string;
  CreatedTime: string;
  ID: string;
  /** Id of the volume whose backup this one was restored from; empty if none. */
  Ancestor: string;
  Snapshots: { [name: string]: { ID: string; CreatedTime: string; Warnings?: string[] } };
}

function isIdentity(value: Record<string, unknown>): boolean {
  return (
    ["Name", "CreatedTime", "ID", "Ancestor"].every((key) => typeof value[key] === "string") &&
    typeof value["Snapshots"] === "object" &&
    value["Snapshots"] !== null
  );
}

export function newIdentity(name: string, createdTime: string, ancestor = ""): Identity {
  return { Name: name, CreatedTime: createdTime, ID: newId(), Ancestor: ancestor, Snapshots: {} };
}

/** @returns undefined if the volume has none yet (made by v0.5.2, or re-created by it). */
export async function readIdentity(state: Dir, name: string, createdTime: string): Promise<Identity | undefined> {
  const dir = await state.trySub("ids");
  if (dir === undefined) return undefined;
  try {
    const identity = await readJson<Identity>(dir, `${name}.json`, isIdentity);
    return identity?.Name === name && identity.CreatedTime === createdTime ? identity : undefined;
  } finally {
    await dir.close();
  }
}

export async function writeIdentity(state: Dir, identity: Identity): Promise<void> {
  const dir = await state.sub("ids", { create: true });
  try {
    await writeJson(dir, `${identity.Name}.json`, identity);
  } finally {
    await dir.close();
  }
}

export async function removeIdentity(state: Dir, name: string): Promise<void> {
  const dir = await state.trySub("ids");
  if (dir === undefined) return;
  try {
    await dir.remove(`${name}.json`);
  } finally {
    await dir.close();
  }
}
