import { setTimeout as delay } from "node:timers/promises";
import type { BackupEngine } from "../backups/engine.ts";
import type { Driver, Holder, MountRequest, UmountRequest, VolumeState } from "../drivers/driver.ts";
import { describeHolder } from "../drivers/records/holders.ts";
import { ConvoyError, isConvoyError } from "../errors.ts";
import { logFailure } from "../host/failure-log.ts";
import type { Logger } from "../host/log.ts";
import type { CreateRequest, VolumesApi } from "./api.ts";
import { Backups } from "./backups.ts";
import { Creator } from "./creator.ts";
import { doesNotExist, findDriver, findVolume, NOT_FOUND, requireAbility, requireVolume, withDriver } from "./find.ts";
import { LegacyHolders } from "./legacy-holders.ts";
import { checkNewVolumeName } from "./names.ts";
import { Operations } from "./operations.ts";
import { Snapshots } from "./snapshots.ts";

export interface VolumesOptions {
  /** In the order of `--drivers`; the first is the default. */
  drivers: readonly Driver[];
  engine: BackupEngine;
  log: Logger;
  /** What Docker's Remove does, by driver name; others keep their driver's default. */
  dockerRemove: ReadonlyMap<string, "detach" | "delete">;
  /** Docker's socket, asked whether a legacy mount is still in use. */
  dockerSocket?: string;
  /** After this time a Docker Create that still runs is answered. */
  dockerLimitMs?: number;
}

/** The daemon listens at the latest this long after its recovery has begun. */
const RECOVERY_WAIT_MS = 10_000;

/** Brings the volumes of an earlier life of the daemon back and returns the API that every protocol uses. */
export async function createVolumes(options: VolumesOptions): Promise<VolumesApi> {
  const volumes = new Volumes(options);
  // A large deletion that is finished, or a share that is slow, must not keep containers from their volumes: what is
  // being settled is refused by its intents meanwhile.
  const wait = new AbortController();
  await Promise.race([
    volumes.recover(),
    delay(RECOVERY_WAIT_MS, undefined, { signal: wait.signal }).catch(() => undefined),
  ]);
  wait.abort();
  return volumes;
}

class Volumes implements VolumesApi {
  readonly #options: VolumesOptions;
  readonly #drivers: readonly Driver[];
  readonly #operations: Operations;
  readonly #creator: Creator;
  readonly #snapshots: Snapshots;
  readonly #backups: Backups;
  readonly #legacy: LegacyHolders;

  constructor(options: VolumesOptions) {
    const { drivers, engine, log, dockerLimitMs } = options;
    this.#options = options;
    this.#drivers = drivers;
    this.#operations = new Operations(log);
    this.#snapshots = new Snapshots(drivers, this.#operations);
    this.#backups = new Backups(drivers, engine, this.#snapshots, this.#operations);
    this.#legacy = new LegacyHolders(options.dockerSocket ?? "/var/run/docker.sock", log);
    this.#creator = new Creator({
      drivers: new Map(drivers.map((driver) => [driver.name, driver])),
      defaultDriver: drivers[0]?.name ?? "",
      engine,
      operations: this.#operations,
      ...(dockerLimitMs === undefined ? {} : { dockerLimitMs }),
    });
  }

  async recover(): Promise<void> {
    for (const driver of this.#drivers) {
      const fields = { operation: "recover", driver: driver.name };
      await this.#operations
        .run(fields, (context) => driver.recover(context))
        .catch(() => {
          // Logged by the operation. The driver tries again by itself; the daemon and the other drivers are not held up.
        });
    }
  }

  get drivers(): string[] {
    return this.#drivers.map((driver) => driver.name);
  }

  get defaultDriver(): string {
    return this.#drivers[0]?.name ?? "";
  }

  async driverInfo(): Promise<Map<string, Record<string, string>>> {
    const infos = new Map<string, Record<string, string>>();
    for (const driver of this.#drivers) infos.set(driver.name, await driver.info());
    return infos;
  }

  async list(): Promise<VolumeState[]> {
    const states: VolumeState[] = [];
    let failure: unknown;
    for (const driver of this.#drivers) {
      try {
        states.push(...(await driver.list()));
      } catch (error) {
        logFailure(this.#options.log, error, { operation: "list", driver: driver.name });
        failure = error;
      }
    }
    if (failure !== undefined && states.length === 0) throw failure;
    return states;
  }

  async listDetached() {
    const detached = [];
    for (const driver of this.#drivers) {
      for (const volume of (await driver.listDetached?.()) ?? []) detached.push({ ...volume, driver: driver.name });
    }
    return detached;
  }

  async inspect(name: string): Promise<VolumeState> {
    return (await requireVolume(this.#drivers, name, NOT_FOUND)).volume;
  }

  async find(name: string): Promise<VolumeState | undefined> {
    return (await findVolume(this.#drivers, name))?.volume;
  }

  create(request: CreateRequest) {
    return this.#creator.create(request);
  }

  createForDocker(request: CreateRequest) {
    return this.#creator.createForDocker(request);
  }

  async delete(name: string, options: { reference: boolean }): Promise<void> {
    const { driver } = await requireVolume(this.#drivers, name, NOT_FOUND);
    if (options.reference) requireAbility(driver, driver.abilities.referenceRemoval, "reference-only removal");
    const operation = options.reference ? "detach" : "delete";
    await this.#operations.run({ operation, driver: driver.name, volume: name }, (context) =>
      driver.delete(name, options, context),
    );
  }

  async deleteDetached(name: string): Promise<void> {
    for (const driver of this.#drivers) {
      const detached = (await driver.listDetached?.()) ?? [];
      if (!detached.some((volume) => volume.name === name)) continue;
      const fields = { operation: "delete-detached", driver: driver.name, volume: name };
      return this.#operations.run(fields, (context) => driver.deleteDetached!(name, context));
    }
    throw new ConvoyError("VOLUME_NOT_FOUND", `There is no detached volume ${name}`, {
      hint: "'convoy list --detached' shows them; a volume that is not detached is deleted with 'convoy delete'.",
    });
  }

  async removeForDocker(name: string): Promise<void> {
    const found = await findVolume(this.#drivers, name);
    if (found === undefined) return;
    const { driver } = found;
    const how = this.#options.dockerRemove.get(driver.name) ?? driver.abilities.dockerRemove;
    try {
      await this.delete(name, { reference: how === "detach" });
    } catch (error) {
      if (!isConvoyError(error, "VOLUME_NOT_FOUND")) throw error;
    }
  }

  async rename(name: string, newName: string): Promise<void> {
    const { driver } = await requireVolume(this.#drivers, name, NOT_FOUND);
    requireAbility(driver, driver.abilities.rename && driver.rename, "renaming");
    checkNewVolumeName(newName);
    if (name === newName) {
      throw new ConvoyError("VOLUME_EXISTS", `Volume ${name} has this name already`, {
        hint: "Give another new name.",
      });
    }
    if ((await findVolume(this.#drivers, newName)) !== undefined) {
      throw new ConvoyError("VOLUME_EXISTS", `Volume ${newName} already exists `, {
        hint: `To swap the two, rename ${newName} to a third name first.`,
      });
    }
    await this.#operations.run({ operation: "rename", driver: driver.name, volume: name }, (context) =>
      driver.rename!(name, newName, context),
    );
  }

  mount(name: string, mountPoint: string): Promise<string> {
    return this.#mount(name, { mountPoint, holder: { kind: "manual", id: "" } }, doesNotExist(name));
  }

  mountForDocker(name: string, id: string): Promise<string> {
    return this.#mount(name, { mountPoint: "", holder: { kind: "docker", id } }, "Couldn't find volume.");
  }

  #mount(name: string, request: MountRequest, missing: string): Promise<string> {
    return withDriver(this.#drivers, name, missing, (driver) =>
      this.#operations.run({ operation: "mount", driver: driver.name, volume: name }, () =>
        driver.mount(name, request),
      ),
    );
  }

  #umount(driver: Driver, name: string, request: UmountRequest): Promise<Holder[]> {
    const fields = { operation: "umount", driver: driver.name, volume: name };
    return this.#operations.run(fields, () => driver.umount(name, request));
  }

  async umount(name: string, options: { force: boolean; forceRoot: string }): Promise<void> {
    const remaining = await withDriver(this.#drivers, name, doesNotExist(name), (driver) =>
      this.#umount(driver, name, { holder: { kind: "manual", id: "" }, ...options }),
    );
    if (remaining.length === 0) return;
    throw new ConvoyError(
      "STILL_HELD",
      `Volume ${name} stays mounted, it is held by: ${remaining.map(describeHolder).join("; ")}`,
      {
        hint: `Stop the containers that use it. If they are gone without a trace, 'convoy umount --force ${name}' ends the holders of this host, --root ID those of another.`,
      },
    );
  }

  async umountForDocker(name: string, id: string): Promise<Holder[]> {
    const driver = await findDriver(this.#drivers, name);
    if (driver === undefined) return [];
    try {
      const remaining = await this.#umount(driver, name, {
        holder: { kind: "docker", id },
        force: false,
        forceRoot: "",
      });
      this.#legacy.checkLater(driver, name, remaining);
      return remaining;
    } catch (error) {
      if (isConvoyError(error, "VOLUME_NOT_FOUND")) return [];
      throw error;
    }
  }

  createSnapshot(volume: string, name: string) {
    return this.#snapshots.create(volume, name);
  }

  inspectSnapshot(name: string, volume?: string) {
    return this.#snapshots.inspect(name, volume);
  }

  deleteSnapshot(name: string, volume?: string): Promise<void> {
    return this.#snapshots.delete(name, volume);
  }

  createBackup(request: Parameters<VolumesApi["createBackup"]>[0]) {
    return this.#backups.create(request);
  }

  listBackups(request: Parameters<VolumesApi["listBackups"]>[0]) {
    return this.#backups.list(request);
  }

  inspectBackup(request: Parameters<VolumesApi["inspectBackup"]>[0]) {
    return this.#backups.inspect(request);
  }

  deleteBackup(request: Parameters<VolumesApi["deleteBackup"]>[0]): Promise<void> {
    return this.#backups.delete(request);
  }

  async shutdown(limitMs: number): Promise<void> {
    this.#legacy.stop();
    await this.#operations.shutdown(limitMs);
    for (const driver of this.#drivers) await driver.close();
  }
}
