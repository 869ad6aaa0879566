import type { Driver, VolumeState } from "../drivers/driver.ts";
import { ConvoyError } from "../errors.ts";
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

/** @throws VOLUME_NOT_FOUND with `message`; INVALID_NAME for a name that no volume can have. */
export async function requireVolume(drivers: readonly Driver[], name: string, message: string): Promise<FoundVolume> {
  if (name === "") {
    throw new ConvoyError("INVALID_REQUEST", "The name of the volume is missing", { hint: "Name the volume." });
  }
  const found = await findVolume(drivers, name);
  if (found !== undefined) return found;
  if (!couldExist(name)) throw invalidName(name);
  throw new ConvoyError("VOLUME_NOT_FOUND", message, { hint: "'convoy list' shows the volumes there are." });
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
