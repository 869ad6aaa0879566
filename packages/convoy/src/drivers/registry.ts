import { ConvoyError } from "../errors.ts";
import type { Driver } from "./driver.ts";
import { VFS_OPTIONS } from "./vfs/config.ts";
import { openVfsDriver, type VfsOptions } from "./vfs/driver.ts";

/** What every driver is opened with. */
export type DriverOptions = VfsOptions;

interface DriverEntry {
  /** Names of the `--driver-opts` it understands. */
  options: readonly string[];
  open(options: DriverOptions): Promise<Driver>;
}

const DRIVERS: Record<string, DriverEntry> = {
  vfs: { options: VFS_OPTIONS, open: openVfsDriver },
};

export const DRIVER_NAMES = Object.keys(DRIVERS);

/** Option names that some driver understands. */
export const DRIVER_OPTION_NAMES = Object.values(DRIVERS).flatMap((entry) => entry.options);

export async function openDriver(name: string, options: DriverOptions): Promise<Driver> {
  if (!Object.hasOwn(DRIVERS, name)) {
    throw new ConvoyError("DRIVER_NOT_FOUND", `Driver ${name} is not supported!`, {
      hint: `Drivers of this version: ${DRIVER_NAMES.join(", ")}. Give --drivers once per driver.`,
    });
  }
  return DRIVERS[name]!.open(options);
}
