import { isConvoyError } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import { newId, type RootIdentity } from "../../host/root.ts";
import { readJson, writeJson } from "./json-file.ts";

/**
 * What a step that could leave something behind is about to do (R5). Written and fsynced before the step, removed
 * after it; at start, the root that wrote it finishes or undoes it. In a shared tree the names in it are taken for
 * every host.
 */
export interface Intent {
  ID: string;
  Root: string;
  Host: string;
  Started: string;
  Operation: string;
  Volume: string;
  Snapshot?: string;
  /** The second name of a rename. */
  NewName?: string;
  /** Whatever the operation needs to go on. */
  Details?: Record<string, unknown>;
}

const FILE = /^[0-9a-f]{32}$/;

/** Names in an intent become parts of paths, so each must be one component (R31). */
const COMPONENT = /^[^./][^/\0]*$/;

function isIntent(value: Record<string, unknown>): boolean {
  const texts = ["ID", "Root", "Host", "Started", "Operation"];
  const isName = (name: unknown) => typeof name === "string" && COMPONENT.test(name);
  return (
    texts.every((key) => typeof value[key] === "string") &&
    FILE.test(value["ID"] as string) &&
    isName(value["Volume"]) &&
    ["Snapshot", "NewName"].every((key) => value[key] === undefined || isName(value[key]))
  );
}

async function readIntent(dir: Dir, name: string): Promise<Intent | undefined> {
  try {
    return await readJson<Intent>(dir, name, (value) => isIntent(value) && value["ID"] === name);
  } catch (error) {
    if (isConvoyError(error)) return undefined;
    throw error;
  }
}

export class Intents {
  readonly #identity: RootIdentity;
  /** Intents whose operations run in this process. */
  readonly #running = new Set<string>();

  constructor(identity: RootIdentity) {
    this.#identity = identity;
  }

  async begin(
    state: Dir,
    what: Pick<Intent, "Operation" | "Volume"> & Partial<Pick<Intent, "Snapshot" | "NewName" | "Details">>,
  ): Promise<Intent> {
    const dir = await state.sub("intents", { create: true });
    try {
      const { id, host } = this.#identity;
      const intent: Intent = { ID: newId(), Root: id, Host: host, Started: new Date().toISOString(), ...what };
      this.#running.add(intent.ID);
      try {
        await writeJson(dir, intent.ID, intent);
      } catch (error) {
        this.#running.delete(intent.ID);
        // Whatever of it got written must not stay behind; if it does, the next settling finds it.
        await dir.remove(intent.ID).catch(() => undefined);
        throw error;
      }
      return intent;
    } finally {
      await dir.close();
    }
  }

  /** Adds to what an open intent says, durable when it resolves. */
  async amend(state: Dir, intent: Intent, details: Record<string, unknown>): Promise<void> {
    const dir = await state.sub("intents");
    try {
      await writeJson(dir, intent.ID, { ...intent, Details: { ...intent.Details, ...details } });
    } finally {
      await dir.close();
    }
  }

  /** Idempotent. */
  async end(state: Dir, intent: Intent): Promise<void> {
    const dir = await state.sub("intents");
    try {
      await dir.remove(intent.ID);
      this.#running.delete(intent.ID);
    } finally {
      await dir.close();
    }
  }

  /** The operation has ended, but its intent stays for a settling. */
  abandon(intent: Intent): void {
    this.#running.delete(intent.ID);
  }

  /** True for an intent of this root whose operation does not run any more: it waits for a settling. */
  isLeft(intent: Intent): boolean {
    return this.isOwn(intent) && !this.#running.has(intent.ID);
  }

  /**
   * All open intents, of every root. A file that is no intent is left out, because it names nothing; one that cannot
   * be read fails the listing, because it may.
   */
  async list(state: Dir): Promise<Intent[]> {
    const dir = await state.trySub("intents");
    if (dir === undefined) return [];
    try {
      const intents: Intent[] = [];
      for (const name of (await dir.list()).sort()) {
        if (!FILE.test(name)) continue;
        const intent = await readIntent(dir, name);
        if (intent !== undefined) intents.push(intent);
      }
      return intents;
    } finally {
      await dir.close();
    }
  }

  isOwn(intent: Intent): boolean {
    return intent.Root === this.#identity.id;
  }
}

/** `create of volume db by host web1 since …`, for messages. */
export function describeIntent(intent: Intent): string {
  const what = intent.Snapshot === undefined ? "" : ` of snapshot ${intent.Snapshot}`;
  return `${intent.Operation}${what} of volume ${intent.Volume} by host ${intent.Host}, begun ${intent.Started}`;
}
