import { ConvoyError, messageOf } from "../errors.ts";
import type { Dir } from "../host/dir.ts";
import { goJson } from "../host/go-json.ts";

/** `<root>/convoy.cfg`, with the fields and their order of v0.5.2, which reads and rewrites this file at every start. */
export interface ConfigFile {
  Root: string;
  DriverList: string[];
  DefaultDriver: string;
  MountNamespaceFD: string;
  IgnoreDockerDelete: boolean;
  CreateOnDockerMount: boolean;
  CmdTimeout: string;
}

export const CONFIG_FILE = "convoy.cfg";

/**
 * Settings that v0.5.2 does not know. They lie in a file of their own, because v0.5.2 drops unknown fields whenever it
 * starts, and whether Docker's Remove destroys data must not depend on that (R1).
 */
export interface ExtraFile {
  DockerScope: "local" | "global";
  /** By driver; left out: the driver's default. */
  DockerRemove: Record<string, "detach" | "delete">;
}

export const EXTRA_FILE = ".convoy-daemon.json";

/** A saved file: what we know of it and everything that stands in it. */
export interface Saved<T> {
  known: T;
  raw: Record<string, unknown>;
}

/** @returns undefined if there is none. @throws RECORD_DAMAGED naming the file and what is wrong. */
export async function readConfig(root: Dir): Promise<Saved<ConfigFile> | undefined> {
  const raw = await readObject(root, CONFIG_FILE);
  if (raw === undefined) return undefined;
  const read = new Fields(`${root.path}/${CONFIG_FILE}`, raw);
  const known = {
    Root: read.text("Root"),
    DriverList: read.texts("DriverList"),
    DefaultDriver: read.text("DefaultDriver"),
    MountNamespaceFD: read.text("MountNamespaceFD"),
    IgnoreDockerDelete: read.flag("IgnoreDockerDelete"),
    CreateOnDockerMount: read.flag("CreateOnDockerMount"),
    CmdTimeout: read.text("CmdTimeout"),
  };
  return { known, raw };
}

/** As `readConfig`, for the settings of our own. */
export async function readExtra(root: Dir): Promise<Saved<ExtraFile> | undefined> {
  const raw = await readObject(root, EXTRA_FILE);
  if (raw === undefined) return undefined;
  const path = `${root.path}/${EXTRA_FILE}`;
  const scope = raw["DockerScope"] ?? "local";
  const remove = raw["DockerRemove"] ?? {};
  if (scope !== "local" && scope !== "global") throw damaged(path, "DockerScope is neither local nor global");
  if (typeof remove !== "object" || remove === null || Object.values(remove).some((mode) => !isRemove(mode))) {
    throw damaged(path, "DockerRemove is not a map of drivers to detach or delete");
  }
  return { known: { DockerScope: scope, DockerRemove: remove as ExtraFile["DockerRemove"] }, raw };
}

function isRemove(mode: unknown): boolean {
  return mode === "detach" || mode === "delete";
}

/**
 * Writes settings, durable, keeping fields that we do not know. A file that says the same already is left alone.
 */
export async function writeSaved<T extends object>(
  root: Dir,
  name: string,
  known: T,
  before: Saved<T> | undefined,
): Promise<void> {
  const unchanged = before !== undefined && goJson(known) === goJson(before.known);
  if (!unchanged) await root.write(name, `${goJson({ ...known, ...without(before?.raw, known) })}\n`);
}

function without(raw: Record<string, unknown> | undefined, known: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(raw ?? {}).filter(([name]) => !Object.hasOwn(known, name)));
}

async function readObject(root: Dir, name: string): Promise<Record<string, unknown> | undefined> {
  const text = await root.readText(name);
  if (text === undefined) return undefined;
  const path = `${root.path}/${name}`;
  if (text.trim() === "") throw damaged(path, "it is empty");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw damaged(path, messageOf(error), error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw damaged(path, "it holds no object");
  return value as Record<string, unknown>;
}

function damaged(path: string, reason: string, cause?: unknown): ConvoyError {
  return new ConvoyError("RECORD_DAMAGED", `The saved configuration ${path} is damaged: ${reason}`, {
    cause,
    hint: "Put it back from a copy, or start once with --ignore-config-file and the daemon's flags; volumes are not touched.",
  });
}

/** Reads fields of one JSON object; a missing or `null` one is empty. */
class Fields {
  readonly #path: string;
  readonly #raw: Record<string, unknown>;

  constructor(path: string, raw: Record<string, unknown>) {
    this.#path = path;
    this.#raw = raw;
  }

  text(name: string): string {
    const value = this.#raw[name] ?? "";
    if (typeof value !== "string") throw damaged(this.#path, `${name} is not a text`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#raw[name] ?? false;
    if (typeof value !== "boolean") throw damaged(this.#path, `${name} is neither true nor false`);
    return value;
  }

  texts(name: string): string[] {
    const value = this.#raw[name] ?? [];
    if (!Array.isArray(value) || value.some((item) => typeof item !== "string")) {
      throw damaged(this.#path, `${name} is not a list of texts`);
    }
    return value as string[];
  }
}
