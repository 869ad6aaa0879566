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

export class Intents {
  readonly #identity: RootIdentity;

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
      await writeJson(dir, intent.ID, intent);
      return intent;
    } finally {
      await dir.close();
    }
  }

  async end(state: Dir, intent: Intent): Promise<void> {
    const dir = await state.sub("intents");
    try {
      await dir.remove(intent.ID);
    } finally {
      await dir.close();
    }
  }

  /** All open intents, of every root. An unreadable one is left out: it can name nothing. */
  async list(state: Dir): Promise<Intent[]> {
    const dir = await state.trySub("intents");
    if (dir === undefined) return [];
    try {
      const intents: Intent[] = [];
      for (const name of (await dir.list()).sort()) {
        if (!FILE.test(name)) continue;
        const intent = await readJson<Intent>(dir, name, (value) => isIntent(value) && value["ID"] === name).catch(
          () => undefined,
        );
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
