import type { Infer, Schema } from "./infer.ts";

/**
 * One schema per request of the REST API. The daemon validates with them, the types of client and daemon come from
 * them. Field names are those of Convoy v0.5.2; fields that v0.5.2 does not know are marked "since 0.6".
 * The daemon matches names in any letter case, ignores unknown fields and takes `null` for a missing value.
 */
const text = (description: string) => ({ type: "string", description }) as const;
const flag = (description: string) => ({ type: "boolean", description }) as const;

export const volumeCreateRequest = {
  type: "object",
  properties: {
    Name: text("Name of the volume; empty: one is made up (`volume-` and 16 hex digits)"),
    DriverName: text("Convoy driver; empty: the daemon's default driver"),
    Size: {
      type: "integer",
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: "Bytes; 0: the driver's default",
    },
    BackupURL: text("Restore this backup into the new volume"),
    Endpoint: text("S3 endpoint of the backup, for example http://minio.example.com:9000"),
    DriverVolumeID: text("Existing volume of the driver to take over"),
    Type: text("Volume type, if the driver has types"),
    IOPS: {
      type: "integer",
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      description: "IOPS, if the driver supports it",
    },
    PrepareForVM: flag("Keep a disk image of the given size in the volume"),
    UID: {
      type: "integer",
      minimum: 0,
      maximum: 4294967294,
      description: "Owner of the new volume's root directory (since 0.6)",
    },
    GID: {
      type: "integer",
      minimum: 0,
      maximum: 4294967294,
      description: "Group of the new volume's root directory (since 0.6)",
    },
    Mode: {
      type: "string",
      pattern: "^[0-7]{3,4}$",
      description: "Mode of the new volume's root directory, octal, for example 0770 (since 0.6)",
    },
    Verbose: flag("Answer with the whole record instead of the name"),
  },
} as const satisfies Schema;
export type VolumeCreateRequest = Infer<typeof volumeCreateRequest>;

export const volumeRequest = {
  type: "object",
  properties: { VolumeName: text("Name of the volume") },
} as const satisfies Schema;
export type VolumeRequest = Infer<typeof volumeRequest>;

export const volumeDeleteRequest = {
  type: "object",
  properties: {
    VolumeName: text("Name of the volume"),
    ReferenceOnly: flag("Forget the volume but keep its data and snapshots, if the driver supports it"),
    Detached: flag("Delete for good a volume that was removed reference-only (since 0.6)"),
  },
} as const satisfies Schema;
export type VolumeDeleteRequest = Infer<typeof volumeDeleteRequest>;

export const volumeMountRequest = {
  type: "object",
  properties: {
    VolumeName: text("Name of the volume"),
    MountPoint: text("Existing directory to mount at, if the driver supports it; empty: the driver's own place"),
    Verbose: flag("Answer with the whole record instead of the mount point"),
  },
} as const satisfies Schema;
export type VolumeMountRequest = Infer<typeof volumeMountRequest>;

export const volumeUmountRequest = {
  type: "object",
  properties: {
    VolumeName: text("Name of the volume"),
    Force: flag("End every holder of this host, not only the mount made by hand (since 0.6)"),
    ForceRoot: text("With Force: also end the holders of this other root id (since 0.6)"),
  },
} as const satisfies Schema;
export type VolumeUmountRequest = Infer<typeof volumeUmountRequest>;

export const volumeRenameRequest = {
  type: "object",
  properties: { VolumeName: text("Present name of the volume"), NewName: text("New name") },
} as const satisfies Schema;
export type VolumeRenameRequest = Infer<typeof volumeRenameRequest>;

export const volumeListRequest = {
  type: "object",
  properties: {
    driver: text("`1`: only the drivers' own information"),
    detached: text("`1`: the volumes that were removed reference-only (since 0.6)"),
  },
} as const satisfies Schema;
export type VolumeListRequest = Infer<typeof volumeListRequest>;

export const snapshotCreateRequest = {
  type: "object",
  properties: {
    Name: text("Name of the snapshot; empty: one is made up (`snapshot-` and 16 hex digits)"),
    VolumeName: text("Name of the volume"),
    Verbose: flag("Answer with the whole record instead of the name"),
  },
} as const satisfies Schema;
export type SnapshotCreateRequest = Infer<typeof snapshotCreateRequest>;

export const snapshotRequest = {
  type: "object",
  properties: {
    SnapshotName: text("Name of the snapshot"),
    VolumeName: text("Its volume; needed only if two volumes have a snapshot of this name (since 0.6)"),
  },
} as const satisfies Schema;
export type SnapshotRequest = Infer<typeof snapshotRequest>;

export const backupCreateRequest = {
  type: "object",
  properties: {
    URL: text("Destination: vfs:///path/, s3://bucket@region/path/ or s3://bucket/path"),
    Endpoint: text("S3 endpoint, for example http://minio.example.com:9000"),
    SnapshotName: text("Snapshot to back up"),
    VolumeName: text("Its volume; needed only if two volumes have a snapshot of this name (since 0.6)"),
    InitStore: flag("Accept a store directory whose marker is not the remembered one (since 0.6)"),
    Verbose: flag("Answer with JSON instead of the bare URL"),
  },
} as const satisfies Schema;
export type BackupCreateRequest = Infer<typeof backupCreateRequest>;

export const backupListRequest = {
  type: "object",
  properties: {
    URL: text("Destination whose backups are listed"),
    Endpoint: text("S3 endpoint"),
    VolumeName: text("Only backups of this volume"),
    SnapshotName: text("Only backups of this snapshot"),
  },
} as const satisfies Schema;
export type BackupListRequest = Infer<typeof backupListRequest>;

export const backupRequest = {
  type: "object",
  properties: { URL: text("URL of the backup"), Endpoint: text("S3 endpoint") },
} as const satisfies Schema;
export type BackupRequest = Infer<typeof backupRequest>;
