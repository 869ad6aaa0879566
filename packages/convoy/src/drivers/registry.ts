import { ConvoyError } from "../errors.ts";
import type { Driver } from "./driver.ts";
import { newConfig, VFS_OPTIONS } from "./vfs/config.ts";
import { openVfsDriver, type VfsOptions } from "./vfs/driver.ts";

/** What every driver is opened with. */
export type DriverOptions = VfsOptions;

interface DriverEntry {
  /** Names of the `--driver-opts` it understands. */
  options: readonly string[];
  /** Refuses options that a first start could not use, without touching anything. @throws INVALID_OPTION */
  checkOptions(directory: string, options: ReadonlyMap<string, string>): void;
  /** Whether it runs commands of the host or mounts: only then `--cmd-timeout` and `--mnt-ns` have an effect. */
  usesHost: boolean;
  open(options: DriverOptions): Promise<Driver>;
}

const DRIVERS: Record<string, DriverEntry> = {
  vfs: { options: VFS_OPTIONS, checkOptions: newConfig, usesHost: false, open: openVfsDriver },
};

export const DRIVER_NAMES = Object.keys(DRIVERS);

/** Option names that some driver understands. */
export const DRIVER_OPTION_NAMES = Object.values(DRIVERS).flatMap((entry) => entry.options);

/** Opens a driver; what it needs is made by its `commit`. @throws DRIVER_NOT_FOUND and the driver's own errors. */
export async function openDriver(name: string, options: DriverOptions): Promise<Driver> {
  return entryOf(name).open(options);
}

/** Refuses what a first start of the driver with these options would refuse; touches nothing. */
export function checkDriverOptions(name: string, directory: string, options: ReadonlyMap<string, string>): void {
  entryOf(name).checkOptions(directory, options);
}

/** Whether `--cmd-timeout` and `--mnt-ns` have an effect with this driver. */
export function usesHost(name: string): boolean {
  return entryOf(name).usesHost;
}

function entryOf(name: string): DriverEntry {
  if (!Object.hasOwn(DRIVERS, name)) {
    throw new ConvoyError("DRIVER_NOT_FOUND", `Driver ${name} is not supported!`, {
      hint: `Drivers of this version: ${DRIVER_NAMES.join(", ")}. Give --drivers once per driver.`,
    });
  }
  return DRIVERS[name]!;
}
