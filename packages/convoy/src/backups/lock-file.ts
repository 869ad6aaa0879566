import type { RootIdentity } from "../host/root.ts";
import type { ObjectInfo, Store } from "../stores/store.ts";
import { decodeFields, parseFirstValue } from "./format/go-json-decode.ts";
import { isStoredName, lockDirectory } from "./format/layout.ts";
import { checker, damaged } from "./format/schema.ts";

/** What a holder is doing, which is also its intent: who takes a dead holder's lock over finishes or undoes it. */
export interface LockPurpose {
  operation: "backup" | "delete";
  volume: string;
  backup: string;
}

/** The content of a lock object, `convoy-objectstore/.convoy/locks/<volume directory>/<root>-<id>.json`. */
export interface LockFile extends LockPurpose {
  host: string;
  /** ISO 8601, by the holder's clock: for people. */
  since: string;
}

const FIELDS = ["Operation", "Volume", "Backup", "Host", "Since"];
const text = { type: "string", maxLength: 300 } as const;
const check = checker({
  type: "object",
  properties: {
    Operation: { type: "string", enum: ["backup", "delete"] },
    Volume: text,
    Backup: text,
    Host: text,
    Since: text,
  },
  required: ["Operation", "Volume", "Backup", "Host", "Since"],
} as const);

export function encodeLock(lock: LockFile, identity: RootIdentity): Uint8Array {
  const { operation: Operation, volume: Volume, backup: Backup, host: Host, since: Since } = lock;
  return Buffer.from(
    JSON.stringify({ Operation, Volume, Backup, Host, Since, Root: identity.id, BootID: identity.bootId }),
  );
}

/**
 * Reads a lock that lies with `volume`.
 * @returns undefined if it is gone
 * @throws BACKUP_DAMAGED
 */
export async function readLock(
  store: Store,
  volume: string,
  key: string,
  signal: AbortSignal,
): Promise<LockFile | undefined> {
  const bytes = await store.read(key, { signal, maxBytes: 16_384 });
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = parseFirstValue(bytes);
  } catch (cause) {
    throw damaged(key, "it is not JSON", cause);
  }
  const lock = check(decodeFields(value, FIELDS)?.known, key);
  if (lock.Volume !== volume || !isStoredName(lock.Backup)) throw damaged(key, "it is about something else");
  return {
    operation: lock.Operation,
    volume,
    backup: lock.Backup,
    host: lock.Host,
    since: lock.Since,
  };
}

export function lockKey(volume: string, root: string, id: string): string {
  return `${lockDirectory(volume)}/${root}-${id}.json`;
}

export interface ListedLock {
  info: ObjectInfo;
  root: string;
  id: string;
}

/** The locks of a volume. Every `.json` counts as one, also such as a later version may name otherwise. */
export async function listLocks(store: Store, volume: string, signal: AbortSignal): Promise<ListedLock[]> {
  const directory = lockDirectory(volume);
  const locks: ListedLock[] = [];
  for await (const info of store.list(directory, { signal })) {
    const name = info.key.slice(directory.length + 1);
    if (!name.endsWith(".json")) continue;
    const parts = /^(.*)-([0-9a-f]{32})\.json$/.exec(name);
    locks.push({ info, root: parts?.[1] ?? "", id: parts?.[2] ?? name });
  }
  return locks;
}
