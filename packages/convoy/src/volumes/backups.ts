import { realpath } from "node:fs/promises";
import type { BackupEngine, BackupSummary } from "../backups/engine.ts";
import type { BackupSubject } from "../backups/source.ts";
import type { Driver, VolumeState } from "../drivers/driver.ts";
import { ConvoyError } from "../errors.ts";
import { parseStoreUrl } from "../stores/url.ts";
import { requireAbility } from "./find.ts";
import type { Operations } from "./operations.ts";
import type { Snapshots } from "./snapshots.ts";

/** Backups: brings a driver's snapshot and the backup engine together. */
export class Backups {
  readonly #drivers: readonly Driver[];
  readonly #engine: BackupEngine;
  readonly #snapshots: Snapshots;
  readonly #operations: Operations;

  constructor(drivers: readonly Driver[], engine: BackupEngine, snapshots: Snapshots, operations: Operations) {
    this.#drivers = drivers;
    this.#engine = engine;
    this.#snapshots = snapshots;
    this.#operations = operations;
  }

  async create(request: {
    url: string;
    endpoint: string;
    snapshot: string;
    volume: string;
    initStore: boolean;
  }): Promise<{ url: string; warnings: string[] }> {
    const missing = `Cannot find volume of snapshot ${request.snapshot}`;
    const { driver, volume } = await this.#snapshots.find(request.snapshot, request.volume, missing);
    requireAbility(driver, driver.abilities.backups === "source" && driver.openSource, "backup operations");
    await this.#refuseStoreInVolume(request.url);
    const fields = { operation: "backup", driver: driver.name, volume: volume.name, snapshot: request.snapshot };
    return this.#operations.run(fields, async (context) => {
      const source = await driver.openSource!(volume.name, request.snapshot);
      try {
        const subject = toSubject(driver, await driver.get(volume.name), request.snapshot, missing);
        const created = await this.#engine.create({ ...request, subject, source }, context);
        for (const warning of created.warnings) context.log.warn(warning);
        return created;
      } finally {
        await source.close();
      }
    });
  }

  /** Stores inside a volume or a snapshot tree would be lost with it, and would back up themselves (R26). */
  async #refuseStoreInVolume(url: string): Promise<void> {
    const place = parseStoreUrl(url);
    if (place.scheme !== "vfs") return;
    const path = await realpath(place.path).catch(() => place.path);
    for (const driver of this.#drivers) {
      const claim = await driver.claims?.(path);
      if (claim === undefined) continue;
      throw new ConvoyError("INVALID_URL", `The store ${url} is refused: it lies in ${claim}`, {
        hint: "Choose a directory outside the volumes, best on another disk.",
      });
    }
  }

  list(request: { url: string; endpoint: string; volume: string; snapshot: string }): Promise<BackupSummary[]> {
    return this.#operations.run({ operation: "list-backups" }, (context) => this.#engine.list(request, context));
  }

  async inspect(request: { url: string; endpoint: string }): Promise<BackupSummary> {
    requireScheme(request.url);
    return this.#operations.run({ operation: "inspect-backup" }, (context) => this.#engine.inspect(request, context));
  }

  async delete(request: { url: string; endpoint: string }): Promise<void> {
    requireScheme(request.url);
    return this.#operations.run({ operation: "delete-backup" }, (context) => this.#engine.delete(request, context));
  }
}

/** Backups are dispatched by their URL's scheme; a driver that owns its backups adds its own (`ebs://`). */
function requireScheme(url: string): void {
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(url)?.[1]?.toLowerCase() ?? "";
  if (scheme === "vfs" || scheme === "s3") return;
  throw new ConvoyError("DRIVER_NOT_FOUND", `Cannot find driver ${scheme} for restoring`, {
    hint: "A backup's URL begins with vfs:// or s3://, as 'convoy backup list' prints it.",
  });
}

function toSubject(driver: Driver, volume: VolumeState | undefined, name: string, missing: string): BackupSubject {
  const snapshot = volume?.snapshots.get(name);
  if (volume === undefined || snapshot === undefined) throw new ConvoyError("SNAPSHOT_NOT_FOUND", missing);
  return {
    volume: {
      name: volume.name,
      id: volume.id,
      driver: driver.name,
      // Convoy v0.5.2 always writes 0 for vfs.
      size: driver.abilities.size ? volume.size : 0,
      createdTime: volume.createdTime,
      ...(volume.ancestorId !== undefined && { ancestorId: volume.ancestorId }),
    },
    snapshot: { name, id: snapshot.id, createdTime: snapshot.createdTime },
  };
}
