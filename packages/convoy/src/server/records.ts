import type {
  BackupRecord,
  DetachedVolumeRecord,
  DriverInfo,
  HolderRecord,
  SnapshotRecord,
  VolumeRecord,
} from "node-convoy/wire";
import type { SnapshotOfVolume, VolumesApi } from "../volumes/api.ts";
import { sortedByKey } from "./encode.ts";

export type VolumeState = Awaited<ReturnType<VolumesApi["inspect"]>>;
type SnapshotState = SnapshotOfVolume["snapshot"];
type Holder = VolumeState["holders"][number];
type DetachedVolume = Awaited<ReturnType<VolumesApi["listDetached"]>>[number];
type BackupSummary = Awaited<ReturnType<VolumesApi["inspectBackup"]>>;

/** A volume record whose snapshots are still a map, for `encode`. */
export type EncodableVolume = Omit<VolumeRecord, "Snapshots"> & { Snapshots: ReadonlyMap<string, SnapshotRecord> };

/** The driver's own fields and `Driver`, sorted. */
export function driverInfo(info: Record<string, string>, driver: string): DriverInfo {
  return Object.fromEntries(sortedByKey(Object.entries({ ...info, Driver: driver })));
}

export function volumeRecord(volume: VolumeState, warnings: readonly string[] = []): EncodableVolume {
  const snapshots = [...volume.snapshots.values()].map((snapshot) => {
    return [snapshot.name, snapshotFields(snapshot, volume.driver)] as const;
  });
  return {
    Name: volume.name,
    Driver: volume.driver,
    MountPoint: volume.mountPoint,
    CreatedTime: volume.createdTime,
    DriverInfo: driverInfo(volume.info, volume.driver),
    Snapshots: new Map(snapshots),
    ...(volume.holders.length === 0 ? {} : { Holders: volume.holders.map(holderRecord) }),
    ...(volume.problem === undefined ? {} : { Problem: volume.problem }),
    ...(warnings.length === 0 ? {} : { Warnings: [...warnings] }),
  };
}

/** A snapshot as it stands inside a volume record: without the volume's name. */
function snapshotFields(snapshot: SnapshotState, driver: string): SnapshotRecord {
  return {
    Name: snapshot.name,
    CreatedTime: snapshot.createdTime,
    DriverInfo: driverInfo(snapshot.info, driver),
    ...(snapshot.warnings.length === 0 ? {} : { Warnings: [...snapshot.warnings] }),
  };
}

/** A snapshot answered on its own; `VolumeCreatedAt` stands only in the answer of inspect. */
export function snapshotRecord({ volume, snapshot }: SnapshotOfVolume, form: "create" | "inspect"): SnapshotRecord {
  const { Name, ...rest } = snapshotFields(snapshot, volume.driver);
  return {
    Name,
    VolumeName: volume.name,
    ...(form === "inspect" ? { VolumeCreatedAt: volume.createdTime } : {}),
    ...rest,
  };
}

export function holderRecord(holder: Holder): HolderRecord {
  return { Kind: holder.kind, Root: holder.root, Host: holder.host, ID: holder.id, Since: holder.since };
}

export function detachedRecord(volume: DetachedVolume): DetachedVolumeRecord {
  return {
    Name: volume.name,
    Driver: volume.driver,
    CreatedTime: volume.createdTime,
    DetachedTime: volume.detachedTime,
    Path: volume.path,
    Snapshots: [...volume.snapshots],
  };
}

/** In v0.5.2 this was a map: its keys are sorted. */
export function backupRecord(backup: BackupSummary): BackupRecord {
  return {
    BackupName: backup.name,
    BackupURL: backup.url,
    BackupUUID: backup.name,
    CreatedTime: backup.createdTime,
    DriverName: backup.driver,
    ...(backup.problem === undefined ? {} : { Problem: backup.problem }),
    SnapshotCreatedAt: backup.snapshotCreatedTime,
    SnapshotName: backup.snapshotName,
    SnapshotUUID: backup.snapshotName,
    VolumeCreatedAt: backup.volumeCreatedTime,
    VolumeName: backup.volumeName,
    VolumeSize: String(backup.volumeSize),
    VolumeUUID: backup.volumeName,
  };
}
