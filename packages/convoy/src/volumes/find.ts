import type { Driver, VolumeState } from "../drivers/driver.ts";
import { ConvoyError, isConvoyError } from "../errors.ts";
import { checkLookupName, couldExist, invalidName } from "./names.ts";

export interface FoundVolume {
  driver: Driver;
  volume: VolumeState;
}

/**
 * Looks for a volume in all drivers. A driver that cannot answer hides nothing that another has; only if nobody has
 * the volume is its failure the answer, because then "not found" would be a guess.
 */
export async function findVolume(drivers: readonly Driver[], name: string): Promise<FoundVolume | undefined> {
  checkLookupName(name);
  let failure: unknown;
  for (const driver of drivers) {
    try {
      const volume = await driver.get(name);
      if (volume !== undefined) return { driver, volume };
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** The driver that has the volume, or may have it if it is the only one; what was said of `findVolume` about failures holds here, too. */
export async function findDriver(drivers: readonly Driver[], name: string): Promise<Driver | undefined> {
  checkLookupName(name);
  // With one driver the operation itself tells whether the volume is there.
  if (drivers.length === 1) return drivers[0];
  let failure: unknown;
  for (const driver of drivers) {
    try {
      if (await driver.has(name)) return driver;
    } catch (error) {
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

/** Runs `work` with the volume's driver. @throws VOLUME_NOT_FOUND with `message`; INVALID_NAME */
export async function withDriver<T>(
  drivers: readonly Driver[],
  name: string,
  message: string,
  work: (driver: Driver) => Promise<T>,
): Promise<T> {
  const driver = await requireDriver(drivers, name, message);
  try {
    return await work(driver);
  } catch (error) {
    if (isConvoyError(error, "VOLUME_NOT_FOUND")) return refuseUnknown(name, message, error);
    throw error;
  }
}

async function requireDriver(drivers: readonly Driver[], name: string, message: string): Promise<Driver> {
  refuseMissing(name);
  return (await findDriver(drivers, name)) ?? refuseUnknown(name, message);
}

/** @throws VOLUME_NOT_FOUND with `message`; INVALID_NAME for a name that no volume can have. */
export async function requireVolume(drivers: readonly Driver[], name: string, message: string): Promise<FoundVolume> {
  refuseMissing(name);
  return (await findVolume(drivers, name)) ?? refuseUnknown(name, message);
}

function refuseMissing(name: string): void {
  if (name !== "") return;
  throw new ConvoyError("INVALID_REQUEST", "The name of the volume is missing", { hint: "Name the volume." });
}

function refuseUnknown(name: string, message: string, cause?: unknown): never {
  if (!couldExist(name)) throw invalidName(name);
  throw new ConvoyError("VOLUME_NOT_FOUND", message, {
    cause,
    hint: "'convoy list' shows the volumes there are.",
  });
}

export function doesNotExist(name: string): string {
  return `volume ${name} doesn't exist`;
}

export const NOT_FOUND = "Volume not found.";

/** @throws UNSUPPORTED if the driver does not declare the ability. */
export function requireAbility(driver: Driver, able: unknown, what: string): void {
  if (able) return;
  throw new ConvoyError("UNSUPPORTED", `Driver ${driver.name} doesn't support ${what}`);
}
