import { buildBackupUrl } from "../../stores/url.ts";
import type { BackupSummary } from "../engine.ts";
import type { BackupCfg } from "./backup-cfg.ts";
import { isAddressable } from "./layout.ts";
import type { VolumeCfg } from "./volume-cfg.ts";

/** What a cfg tells of a backup; the cfg's own size and creation time go before those of volume.cfg (R21). */
export function summarise(storeUrl: string, volumeCfg: VolumeCfg, cfg: Omit<BackupCfg, "blocks">): BackupSummary {
  return {
    name: cfg.name,
    url: buildBackupUrl(storeUrl, cfg.name, cfg.volumeName),
    volumeName: cfg.volumeName,
    snapshotName: cfg.snapshotName,
    createdTime: cfg.createdTime,
    snapshotCreatedTime: cfg.snapshotCreatedTime,
    driver: volumeCfg.driver,
    volumeCreatedTime: cfg.volumeCreatedTime ?? volumeCfg.createdTime,
    volumeSize: cfg.volumeSize ?? volumeCfg.size,
    volumeId: cfg.volumeId ?? "",
    snapshotId: cfg.snapshotId ?? "",
    ...(!isAddressable(cfg.volumeName, cfg.name) && {
      problem: "a URL cannot name it: names there have at least two characters, of letters, digits, `_`, `.` and `-`",
    }),
  };
}

/** A backup of which nothing is known but where it lies. */
export function unusable(
  storeUrl: string,
  volume: string,
  backup: string,
  problem: string,
  volumeCfg?: VolumeCfg,
): BackupSummary {
  return {
    name: backup,
    url: buildBackupUrl(storeUrl, backup, volume),
    volumeName: volume,
    snapshotName: "",
    createdTime: "",
    snapshotCreatedTime: "",
    driver: volumeCfg?.driver ?? "",
    volumeCreatedTime: volumeCfg?.createdTime ?? "",
    volumeSize: volumeCfg?.size ?? 0,
    volumeId: "",
    snapshotId: "",
    problem,
  };
}
