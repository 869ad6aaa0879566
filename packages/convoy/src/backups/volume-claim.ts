import { ConvoyError, messageOf } from "../errors.ts";
import type { Logger } from "../host/log.ts";
import type { ObjectInfo, Store } from "../stores/store.ts";
import { readBackupCfg, readVolumeCfg, writeVolumeCfg } from "./cfg-store.ts";
import { backupCfgDirectory, backupOfCfgKey } from "./format/layout.ts";
import type { VolumeCfg } from "./format/volume-cfg.ts";
import type { BackupSubject } from "./source.ts";

/** What `claimVolume` found and did. */
export interface Claim {
  /** True if there was no volume.cfg and this call wrote it. */
  written: boolean;
  warnings: string[];
}

type Volume = BackupSubject["volume"];

/**
 * Makes sure that volume.cfg is there before any data (a volume without one breaks the original's listings). It is
 * written only if it is clearly absent (R19); one that is there keeps what it says, only its size may grow (R21).
 * Called under the volume's lock.
 * @throws NAME_TAKEN if the name belongs to a volume of another driver here, BACKUP_DAMAGED, FORGED
 */
export async function claimVolume(store: Store, volume: Volume, log: Logger, signal: AbortSignal): Promise<Claim> {
  const cfg = await readVolumeCfg(store, volume.name, signal);
  if (cfg === undefined) {
    const { name, driver, size, createdTime } = volume;
    await writeVolumeCfg(store, { name, driver, size, createdTime, lastBackupName: "", unknown: {} }, signal);
    return { written: true, warnings: [] };
  }
  if (cfg.driver !== volume.driver) {
    throw new ConvoyError(
      "NAME_TAKEN",
      `The store holds backups of a volume ${volume.name} of driver ${cfg.driver || "''"}; this one is of driver ${volume.driver}`,
      { hint: "Back up to another destination, or rename the volume first." },
    );
  }
  if (volume.size > cfg.size) await writeVolumeCfg(store, { ...cfg, size: volume.size }, signal);
  const warnings = (await isNewestForeign(store, volume, cfg, log, signal))
    ? [
        `Another volume uses the name ${volume.name} in this store: its newest backup there is not of this volume ` +
          `(created ${volume.createdTime}). Both are kept; look at VolumeCreatedAt before restoring.`,
      ]
    : [];
  return { written: false, warnings };
}

/** The objects that are cfgs of the volume's backups; whatever else lies beside them is left out. */
export async function listBackupCfgs(store: Store, volume: string, signal: AbortSignal): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of store.list(backupCfgDirectory(volume), { signal })) {
    if (backupOfCfgKey(volume, info.key) !== undefined) found.push(info);
  }
  return found;
}

/** Compares ids, or for backups of v0.5.2, which bear none, the creation time in volume.cfg (R20). */
async function isNewestForeign(
  store: Store,
  volume: Volume,
  volumeCfg: VolumeCfg,
  log: Logger,
  signal: AbortSignal,
): Promise<boolean> {
  const sameTime = volumeCfg.createdTime === volume.createdTime;
  let newest: ObjectInfo | undefined;
  for (const info of await listBackupCfgs(store, volume.name, signal)) {
    if (newest === undefined || info.modified > newest.modified) newest = info;
  }
  if (newest === undefined) return false;
  try {
    const cfg = await readBackupCfg(store, volume.name, backupOfCfgKey(volume.name, newest.key)!, signal);
    if (cfg?.volumeId === undefined) return !sameTime;
    return cfg.volumeId !== volume.id && cfg.volumeId !== volume.ancestorId;
  } catch (error) {
    log.warn({ err: messageOf(error) }, "the newest backup of this volume in the store cannot be read");
    return !sameTime;
  }
}
