import { parseSize, SIZE_HELP } from "node-convoy/wire";
import { ConvoyError, messageOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import { goJson } from "../../host/go-json.ts";

/** `<root>/vfs/vfs.cfg`, with the fields of Convoy v0.5.2; `ReserveBytes` is ours and falls back to the default. */
interface ConfigFile {
  Root: string;
  Path: string;
  ConfigPath: string;
  DefaultVolumeSize: number;
  ReserveBytes?: number;
  [other: string]: unknown;
}

export interface VfsConfig {
  /** `<root>/vfs`. */
  directory: string;
  /** Absolute path of the tree of volumes. */
  path: string;
  /** Bytes; size of a VM's image when none is given. */
  defaultVolumeSize: number;
  /** A restore stops before the file system has less than this many bytes left. */
  reserveBytes: number;
  /** True at the first start with this root: a missing `vfs.path` is made then, and only then (R11). */
  isNew: boolean;
  /** Options of this start that differ from the saved ones, which win. */
  ignoredOptions: string[];
}

export const VFS_OPTIONS = ["vfs.path", "vfs.defaultvolumesize", "vfs.reserve"] as const;

const DEFAULT_SIZE = 100 * 2 ** 30;
const DEFAULT_RESERVE = 64 * 2 ** 20;
const FILE = "vfs.cfg";

/**
 * Reads the saved configuration, or makes one of the options at the first start. Saved values win over options, as in
 * v0.5.2, but a difference is told. Nothing is written here (R8).
 * @throws INVALID_OPTION, RECORD_DAMAGED
 */
export async function loadConfig(root: Dir, options: ReadonlyMap<string, string>): Promise<VfsConfig> {
  const directory = `${root.path}/vfs`;
  const dir = await root.trySub("vfs");
  try {
    const saved = dir === undefined ? undefined : await readSaved(dir);
    if (saved !== undefined) return { ...fromSaved(saved, directory), ignoredOptions: differing(saved, options) };
    return newConfig(directory, options);
  } finally {
    await dir?.close();
  }
}

/**
 * The configuration of a first start.
 * @param directory `<root>/vfs`, which need not exist
 * @throws INVALID_OPTION
 */
export function newConfig(directory: string, options: ReadonlyMap<string, string>): VfsConfig {
  return {
    directory,
    path: requirePath(options),
    defaultVolumeSize: sizeOption(
      options,
      "vfs.defaultvolumesize",
      DEFAULT_SIZE,
      "Illegal default volume size specified",
    ),
    reserveBytes: sizeOption(options, "vfs.reserve", DEFAULT_RESERVE, "Illegal reserve specified"),
    isNew: true,
    ignoredOptions: [],
  };
}

/** Saves a new configuration, durable. */
export async function saveConfig(root: Dir, config: VfsConfig): Promise<void> {
  const dir = await root.sub("vfs", { create: true });
  try {
    const file: ConfigFile = {
      Root: config.directory,
      Path: config.path,
      ConfigPath: `${config.path}/config`,
      DefaultVolumeSize: config.defaultVolumeSize,
      ...(config.reserveBytes === DEFAULT_RESERVE ? {} : { ReserveBytes: config.reserveBytes }),
    };
    await dir.write(FILE, `${goJson(file)}\n`);
  } finally {
    await dir.close();
  }
}

async function readSaved(dir: Dir): Promise<ConfigFile | undefined> {
  const text = await dir.readText(FILE);
  if (text === undefined) return undefined;
  let value: Partial<ConfigFile>;
  try {
    value = JSON.parse(text) as Partial<ConfigFile>;
  } catch (cause) {
    throw damaged(dir, messageOf(cause), cause);
  }
  if (typeof value?.Path !== "string" || !value.Path.startsWith("/")) throw damaged(dir, "it has no absolute Path");
  return {
    ...value,
    Root: value.Root ?? "",
    Path: value.Path,
    ConfigPath: value.ConfigPath ?? "",
    DefaultVolumeSize: Number.isSafeInteger(value.DefaultVolumeSize) ? value.DefaultVolumeSize! : DEFAULT_SIZE,
  };
}

function damaged(dir: Dir, reason: string, cause?: unknown): ConvoyError {
  return new ConvoyError("RECORD_DAMAGED", `The configuration ${dir.path}/${FILE} is damaged: ${reason}`, {
    cause,
    hint: "Put it back from a backup, or remove it and give the driver options again; volumes are not touched.",
  });
}

function fromSaved(saved: ConfigFile, directory: string): Omit<VfsConfig, "ignoredOptions"> {
  return {
    directory,
    path: normalise(saved.Path),
    defaultVolumeSize: saved.DefaultVolumeSize,
    reserveBytes: Number.isSafeInteger(saved.ReserveBytes) ? saved.ReserveBytes! : DEFAULT_RESERVE,
    isNew: false,
  };
}

function differing(saved: ConfigFile, options: ReadonlyMap<string, string>): string[] {
  const present: Record<(typeof VFS_OPTIONS)[number], string> = {
    "vfs.path": normalise(saved.Path),
    "vfs.defaultvolumesize": String(saved.DefaultVolumeSize),
    "vfs.reserve": String(saved.ReserveBytes ?? DEFAULT_RESERVE),
  };
  return VFS_OPTIONS.flatMap((name) => {
    const given = options.get(name);
    if (given === undefined) return [];
    const value = name === "vfs.path" ? normalise(given) : String(parseSize(given));
    return value === present[name] ? [] : [`${name}: ${present[name]} is saved and stays, ${given} was given`];
  });
}

function requirePath(options: ReadonlyMap<string, string>): string {
  const path = options.get("vfs.path") ?? "";
  if (path === "") {
    throw new ConvoyError("INVALID_OPTION", "VFS driver base path unspecified", {
      hint: "Give the directory that holds the volumes: --driver-opts vfs.path=/srv/volumes",
    });
  }
  if (!path.startsWith("/")) {
    throw new ConvoyError("INVALID_OPTION", `vfs.path is '${path}', but has to be an absolute path`, {
      hint: "For example --driver-opts vfs.path=/srv/volumes",
    });
  }
  return normalise(path);
}

function normalise(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return `/${parts.join("/")}`;
}

function sizeOption(options: ReadonlyMap<string, string>, name: string, fallback: number, message: string): number {
  const text = options.get(name);
  if (text === undefined) return fallback;
  const size = parseSize(text);
  if (size === undefined || (size === 0 && name === "vfs.defaultvolumesize")) {
    throw new ConvoyError("INVALID_OPTION", message, { hint: `${name} is '${text}'; allowed: ${SIZE_HELP}` });
  }
  return size;
}
