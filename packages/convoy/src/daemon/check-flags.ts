import { lstat, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { checkDriverOptions, DRIVER_NAMES, DRIVER_OPTION_NAMES } from "../drivers/registry.ts";
import { ConvoyError, errnoOf, messageOf } from "../errors.ts";
import { silentLog } from "../host/log.ts";
import { parseDockerRemove, parseDriverOptions, parseDrivers } from "./command-line.ts";
import { CONFIG_FILE } from "./config-file.ts";
import { checkMountNamespace } from "./mount-namespace.ts";
import type { DaemonOptions } from "./options.ts";
import { missingDrivers } from "./settings.ts";

/**
 * Refuses flags that the start could not use, before anything is made: a first start that fails leaves no root, no
 * saved options and no directory of a driver, so that the corrected command line is a first start again. Flags that
 * saved settings overrule are not looked at. Warnings are left to the start itself, which has the log by then.
 * @throws INVALID_OPTION, DRIVER_NOT_FOUND
 */
export async function checkFlags(options: DaemonOptions): Promise<void> {
  if (options.root === "") throw new ConvoyError("INVALID_OPTION", "Have to specific root directory");
  const log = silentLog();
  const driverOptions = parseDriverOptions(options.driverOpts, DRIVER_OPTION_NAMES, log);
  parseDockerRemove(options.dockerRemove, DRIVER_NAMES);
  await checkLogFile(options);
  if (!options.ignoreConfigFile && (await exists(`${options.root}/${CONFIG_FILE}`))) return;
  const drivers = parseDrivers(options.drivers, log);
  if (drivers.length === 0) throw missingDrivers(DRIVER_NAMES);
  // In the order of v0.5.2: of several wrong flags it named the same one.
  await checkMountNamespace(options.mntNs);
  for (const name of drivers) {
    const directory = `${options.root}/${name}`;
    // Options that a driver has saved win over those of the command line, with every kind of start.
    if (!(await exists(`${directory}/${name}.cfg`))) checkDriverOptions(name, directory, driverOptions);
  }
}

/** The log may lie in the root, which the start makes; any other directory has to be there. */
async function checkLogFile({ log, root }: DaemonOptions): Promise<void> {
  if (log === undefined || dirname(resolve(log)) === root) return;
  try {
    await stat(dirname(resolve(log)));
  } catch (cause) {
    throw new ConvoyError("INVALID_OPTION", `Cannot open the log file ${log}: ${messageOf(cause)}`, { cause });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}
