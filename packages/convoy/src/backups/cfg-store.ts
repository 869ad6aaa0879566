import { ConvoyError } from "../errors.ts";
import type { Store } from "../stores/store.ts";
import { type BackupCfg, decodeBackupCfg, MAX_BACKUP_CFG } from "./format/backup-cfg.ts";
import { backupCfgKey, volumeCfgKey } from "./format/layout.ts";
import { forged } from "./format/schema.ts";
import { decodeVolumeCfg, encodeVolumeCfg, MAX_VOLUME_CFG, type VolumeCfg } from "./format/volume-cfg.ts";

/** The cfg files of a store, read and written. Absent is always a clear answer of the store, never a failure (R19). */

/** @returns undefined if absent; throws BACKUP_DAMAGED or FORGED if it cannot be used. */
export async function readVolumeCfg(store: Store, volume: string, signal: AbortSignal): Promise<VolumeCfg | undefined> {
  const bytes = await store.read(volumeCfgKey(volume), { signal, maxBytes: MAX_VOLUME_CFG });
  return bytes === undefined ? undefined : decodeVolumeCfg(bytes, volume);
}

export async function writeVolumeCfg(store: Store, cfg: VolumeCfg, signal: AbortSignal): Promise<void> {
  await store.put(volumeCfgKey(cfg.name), encodeVolumeCfg(cfg), { signal });
}

/** @returns undefined if absent; throws BACKUP_DAMAGED or FORGED if it cannot be used. */
export async function readBackupCfg(
  store: Store,
  volume: string,
  backup: string,
  signal: AbortSignal,
): Promise<BackupCfg | undefined> {
  const bytes = await store.read(backupCfgKey(volume, backup), { signal, maxBytes: MAX_BACKUP_CFG });
  return bytes === undefined ? undefined : decodeBackupCfg(bytes, volume, backup);
}

/** The error of v0.5.2 for something that a URL names and the store does not have. */
export function notInStore(key: string): ConvoyError {
  return new ConvoyError("BACKUP_NOT_FOUND", `cannot find ${key} in objectstore`, {
    hint: "`convoy backup list <destination>` shows what is there.",
  });
}

/**
 * Both cfgs of one backup, as far as they agree.
 * @throws BACKUP_NOT_FOUND, BACKUP_DAMAGED, FORGED
 */
export async function loadBackup(
  store: Store,
  volume: string,
  backup: string,
  signal: AbortSignal,
): Promise<{ volumeCfg: VolumeCfg; cfg: BackupCfg }> {
  const volumeCfg = await readVolumeCfg(store, volume, signal);
  if (volumeCfg === undefined) throw notInStore(volumeCfgKey(volume));
  const cfg = await readBackupCfg(store, volume, backup, signal);
  if (cfg === undefined) throw notInStore(backupCfgKey(volume, backup));
  checkKind(volumeCfg, cfg);
  return { volumeCfg, cfg };
}

/** A vfs volume has archives, any other blocks. @throws FORGED */
export function checkKind(volumeCfg: VolumeCfg, cfg: BackupCfg): void {
  if ((volumeCfg.driver === "vfs") === (cfg.blocks === undefined)) return;
  const found = cfg.blocks === undefined ? "an archive" : "no archive";
  throw forged(
    backupCfgKey(cfg.volumeName, cfg.name),
    `it names ${found}, but its volume is of driver ${volumeCfg.driver || "''"}`,
  );
}
