import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { DRIVER_NAMES, usesHost } from "../drivers/registry.ts";
import { ConvoyError, isConvoyError } from "../errors.ts";
import type { Dir } from "../host/dir.ts";
import type { Logger } from "../host/log.ts";
import { type DockerRemove, parseDockerRemove, parseDrivers, parseTimeout } from "./command-line.ts";
import {
  CONFIG_FILE,
  type ConfigFile,
  EXTRA_FILE,
  type ExtraFile,
  readConfig,
  readExtra,
  type Saved,
  writeSaved,
} from "./config-file.ts";
import type { DaemonOptions } from "./options.ts";

/** The settings in force, after saved configuration and command line were brought together. */
export interface Settings {
  config: ConfigFile;
  extra: ExtraFile;
  /** Writes what is not saved yet; called once everything runs, so that a failed start leaves nothing (as in v0.5.2). */
  save(): Promise<void>;
}

/**
 * Saved settings win over the command line, as in v0.5.2; every flag that differs from what is saved is reported.
 * `--ignore-config-file` makes the command line win, and it is saved.
 * @param available names of the drivers that this program has.
 */
export async function loadSettings(
  root: Dir,
  options: DaemonOptions,
  available: readonly string[],
  log: Logger,
): Promise<Settings> {
  const fileConfig = await readUnlessIgnored(options, () => readConfig(root));
  const fileExtra = await readUnlessIgnored(options, () => readExtra(root));
  const savedConfig = options.ignoreConfigFile ? undefined : fileConfig;
  const savedExtra = options.ignoreConfigFile ? undefined : fileExtra;
  if (savedConfig !== undefined) await checkRoot(root, savedConfig.known.Root);
  const config = savedConfig === undefined ? configOf(root, options, available, log) : usable(root, savedConfig, log);
  const extra = savedExtra?.known ?? extraOf(options, available);
  if (savedConfig !== undefined) reportConfig(options, config, log);
  if (savedExtra !== undefined) reportExtra(options, extra, available, log);
  return {
    config,
    extra,
    save: async () => {
      // What came from a file stays as it is in there: taking over a root rewrites nothing (R8).
      if (savedConfig === undefined) await writeSaved(root, CONFIG_FILE, config, fileConfig);
      if (savedExtra === undefined) await writeSaved(root, EXTRA_FILE, extra, fileExtra);
    },
  };
}

/** A file that is to be ignored may be damaged; only its unknown fields are of interest then. */
async function readUnlessIgnored<T>(options: DaemonOptions, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (options.ignoreConfigFile && isConvoyError(error, "RECORD_DAMAGED")) return undefined;
    throw error;
  }
}

/** What Docker's Remove does, by driver, as far as it was said. */
export function dockerRemoveOf(extra: ExtraFile): ReadonlyMap<string, DockerRemove> {
  return new Map(Object.entries(extra.DockerRemove));
}

/**
 * A root that was copied still names the old one inside; v0.5.2 then worked on the old one under the lock of the new,
 * so that two daemons could share it.
 */
async function checkRoot(root: Dir, saved: string): Promise<void> {
  if (saved === "" || (await canonical(saved)) === (await canonical(root.path))) return;
  throw new ConvoyError(
    "INVALID_OPTION",
    `${root.path}/${CONFIG_FILE} belongs to the root ${saved}, but the daemon was started with --root ${root.path}`,
    {
      hint: `Start it with --root ${saved}; if this is a copy that is to live here, set Root in that file (and in the drivers' .cfg files) to ${root.path}.`,
    },
  );
}

async function canonical(path: string): Promise<string> {
  return realpath(path).catch(() => resolve(path));
}

function configOf(root: Dir, options: DaemonOptions, available: readonly string[], log: Logger): ConfigFile {
  const drivers = parseDrivers(options.drivers, log);
  if (drivers.length === 0) throw missingDrivers(available);
  return {
    Root: root.path,
    DriverList: drivers,
    DefaultDriver: drivers[0]!,
    MountNamespaceFD: options.mntNs,
    IgnoreDockerDelete: options.ignoreDockerDelete,
    CreateOnDockerMount: options.createOnDockerMount,
    CmdTimeout: parseTimeout(options.cmdTimeout, log),
  };
}

export function missingDrivers(available: readonly string[]): ConvoyError {
  return new ConvoyError("INVALID_OPTION", "Missing or invalid parameters: --drivers was not given", {
    hint: `Name at least one driver at the first start of a root: --drivers ${available.join(" or --drivers ")}.`,
  });
}

/** What is saved, put right where v0.5.2 saved values that it complained of at every start. */
function usable(root: Dir, { known }: Saved<ConfigFile>, log: Logger): ConfigFile {
  const drivers = [...new Set(known.DriverList)];
  return {
    ...known,
    Root: known.Root || root.path,
    DriverList: drivers,
    DefaultDriver: drivers.includes(known.DefaultDriver) ? known.DefaultDriver : (drivers[0] ?? ""),
    CmdTimeout: parseTimeout(known.CmdTimeout, log),
  };
}

function extraOf(options: DaemonOptions, available: readonly string[]): ExtraFile {
  return {
    DockerScope: options.dockerScope,
    DockerRemove: Object.fromEntries(parseDockerRemove(options.dockerRemove, available)),
  };
}

function reportConfig(options: DaemonOptions, config: ConfigFile, log: Logger): void {
  const pairs: [string, unknown, unknown][] = [
    ["drivers", config.DriverList, [...new Set(options.drivers)]],
    ["mnt-ns", config.MountNamespaceFD, options.mntNs],
    ["ignore-docker-delete", config.IgnoreDockerDelete, options.ignoreDockerDelete],
    ["create-on-docker-mount", config.CreateOnDockerMount, options.createOnDockerMount],
    ["cmd-timeout", config.CmdTimeout, options.cmdTimeout],
  ];
  for (const pair of pairs) reportDifference(options, CONFIG_FILE, pair, log);
}

function reportExtra(options: DaemonOptions, extra: ExtraFile, available: readonly string[], log: Logger): void {
  const given = extraOf(options, available);
  reportDifference(options, EXTRA_FILE, ["docker-scope", extra.DockerScope, given.DockerScope], log);
  reportDifference(options, EXTRA_FILE, ["docker-remove", extra.DockerRemove, given.DockerRemove], log);
}

function reportDifference(
  options: DaemonOptions,
  file: string,
  [flag, saved, given]: [string, unknown, unknown],
  log: Logger,
): void {
  if (!options.given.includes(flag) || isDeepStrictEqual(saved, given)) return;
  log.warn(
    { flag: `--${flag}`, saved, given },
    `--${flag} differs from what is saved in ${file} and is ignored: ${show(saved)} stays, ${show(given)} was given; start once with --ignore-config-file and all flags to change it`,
  );
}

/** Flags that are kept for drivers that use the host, while no such driver is enabled. */
export function reportWithoutEffect(options: DaemonOptions, { DriverList }: ConfigFile, log: Logger): void {
  if (DriverList.some((name) => DRIVER_NAMES.includes(name) && usesHost(name))) return;
  for (const flag of ["cmd-timeout", "mnt-ns"].filter((name) => options.given.includes(name))) {
    const what = flag === "mnt-ns" ? "mount nothing" : "run no commands of the host";
    log.warn({ flag: `--${flag}` }, `--${flag} has no effect: the drivers in use (${DriverList.join(", ")}) ${what}`);
  }
}

function show(value: unknown): string {
  return value === "" ? "nothing" : JSON.stringify(value);
}
