import type { Driver, VolumeState } from "../drivers/driver.ts";
import { snapshotExists } from "../drivers/records/snapshot-names.ts";
import { ConvoyError } from "../errors.ts";
import type { SnapshotOfVolume } from "./api.ts";
import { doesNotExist, findVolume, requireAbility, requireVolume } from "./find.ts";
import { checkNewSnapshotName, generateName } from "./names.ts";
import type { Operations } from "./operations.ts";

/** Snapshots of all drivers. Their names are global, and apart from the volumes' names (R3). */
export class Snapshots {
  readonly #drivers: readonly Driver[];
  readonly #operations: Operations;

  constructor(drivers: readonly Driver[], operations: Operations) {
    this.#drivers = drivers;
    this.#operations = operations;
  }

  async create(volumeName: string, wanted: string): Promise<SnapshotOfVolume> {
    const name = wanted === "" ? generateName("snapshot") : wanted;
    checkNewSnapshotName(name);
    const { driver } = await requireVolume(this.#drivers, volumeName, doesNotExist(volumeName));
    requireAbility(driver, driver.abilities.snapshots && driver.createSnapshot, "snapshot operations");
    if ((await this.#locate(name)).length > 0 || (await findVolume(this.#drivers, name)) !== undefined) {
      throw snapshotExists(name);
    }
    const fields = { operation: "snapshot", driver: driver.name, volume: volumeName, snapshot: name };
    const snapshot = await this.#operations.run(fields, (context) => driver.createSnapshot!(volumeName, name, context));
    const volume = (await driver.get(volumeName)) ?? { ...emptyVolume(volumeName, driver.name) };
    return { volume, snapshot };
  }

  async inspect(name: string, volumeName = "", missing = `cannot find volume for snapshot ${name}`) {
    const { volume } = await this.find(name, volumeName, missing);
    return { volume, snapshot: volume.snapshots.get(name)! };
  }

  async delete(name: string, volumeName = ""): Promise<void> {
    const { driver, volume } = await this.find(name, volumeName, `cannot find volume for snapshot ${name}`);
    requireAbility(driver, driver.abilities.snapshots && driver.deleteSnapshot, "snapshot operations");
    const fields = { operation: "delete-snapshot", driver: driver.name, volume: volume.name, snapshot: name };
    await this.#operations.run(fields, (context) => driver.deleteSnapshot!(volume.name, name, context));
  }

  /** The volume that has the snapshot; `missing` is the text when there is none. */
  async find(name: string, volumeName: string, missing: string): Promise<{ driver: Driver; volume: VolumeState }> {
    if (name === "") {
      throw new ConvoyError("INVALID_REQUEST", "The name of the snapshot is missing", { hint: "Name the snapshot." });
    }
    const located = (await this.#locate(name)).filter(({ volume }) => volumeName === "" || volume === volumeName);
    if (located.length > 1) {
      const volumes = located.map(({ volume }) => volume).join(", ");
      throw new ConvoyError("SNAPSHOT_AMBIGUOUS", `Several volumes have a snapshot ${name}: ${volumes}`, {
        hint: "Say which is meant: --volume NAME (field VolumeName).",
      });
    }
    const { driver, volume } = located[0] ?? {};
    const state = driver === undefined ? undefined : await driver.get(volume!);
    if (driver === undefined || !state?.snapshots.has(name)) {
      throw new ConvoyError("SNAPSHOT_NOT_FOUND", missing, {
        hint: "'convoy inspect VOLUME' shows a volume's snapshots.",
      });
    }
    return { driver, volume: state };
  }

  async #locate(name: string): Promise<{ driver: Driver; volume: string }[]> {
    const located: { driver: Driver; volume: string }[] = [];
    for (const driver of this.#drivers) {
      for (const volume of (await driver.findSnapshot?.(name)) ?? []) located.push({ driver, volume });
    }
    return located;
  }
}

/** A volume that vanished right after its snapshot was made. */
function emptyVolume(name: string, driver: string): VolumeState {
  return {
    name,
    driver,
    id: "",
    size: 0,
    mountPoint: "",
    createdTime: "",
    info: {},
    snapshots: new Map(),
    holders: [],
  };
}
