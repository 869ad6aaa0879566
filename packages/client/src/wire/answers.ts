/** Answers of the REST API. Every value of a `DriverInfo` is a string, as in Convoy v0.5.2. */
export interface DriverInfo {
  [field: string]: string;
}

export interface SnapshotRecord {
  Name: string;
  /** Only where the snapshot is answered on its own. */
  VolumeName?: string;
  /** Only in `snapshotInspect`. */
  VolumeCreatedAt?: string;
  CreatedTime: string;
  DriverInfo: DriverInfo;
  /** What the user should know about this snapshot (since 0.6); left out when there is nothing. */
  Warnings?: string[];
}

export interface HolderRecord {
  /** `docker`, `manual` (made with `convoy mount`) or `legacy` (found in the state of Convoy v0.5.2). */
  Kind: "docker" | "manual" | "legacy";
  /** Id of the daemon root that holds the mount. */
  Root: string;
  /** Host name of that root, for people. */
  Host: string;
  /** Docker's caller id, empty for the other kinds. */
  ID: string;
  /** ISO 8601, UTC: `2026-11-20T06:56:00.000Z`. */
  Since: string;
}

export interface VolumeRecord {
  Name: string;
  Driver: string;
  MountPoint: string;
  CreatedTime: string;
  DriverInfo: DriverInfo;
  Snapshots: { [name: string]: SnapshotRecord };
  /** Who holds the mount (since 0.6); left out when nobody does. */
  Holders?: HolderRecord[];
  /** Why the volume cannot be used at present (since 0.6); left out when it can. */
  Problem?: string;
  /** Options that were accepted but have no effect with this driver (since 0.6); only in the answer of create. */
  Warnings?: string[];
}

export interface DetachedVolumeRecord {
  Name: string;
  Driver: string;
  CreatedTime: string;
  /** ISO 8601, UTC; `CreatedTime` has the form of v0.5.2. */
  DetachedTime: string;
  Path: string;
  Snapshots: string[];
}

export interface BackupRecord {
  BackupName: string;
  BackupURL: string;
  /** Equal to BackupName, VolumeName and SnapshotName, as the manual of v0.5.2 documents (since 0.6). */
  BackupUUID: string;
  VolumeUUID: string;
  SnapshotUUID: string;
  CreatedTime: string;
  DriverName: string;
  SnapshotCreatedAt: string;
  SnapshotName: string;
  VolumeCreatedAt: string;
  VolumeName: string;
  VolumeSize: string;
  /** Why this backup cannot be used (since 0.6); left out when it can. */
  Problem?: string;
  [field: string]: string | undefined;
}

export interface InfoDocument {
  General: {
    Root: string;
    DriverList: string[] | null;
    DefaultDriver: string;
    MountNamespaceFD: string;
    IgnoreDockerDelete: boolean;
    CreateOnDockerMount: boolean;
    CmdTimeout: string;
    /** Version of the daemon (since 0.6). */
    Version?: string;
  };
  [driver: string]: unknown;
}

/** An error as RFC 9457 problem details, sent for `Accept: application/problem+json`. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  /** The daemon's message, the same text that older clients get as plain text. */
  detail: string;
  /** Stable code, see ERROR_CODES. */
  code: string;
  /** What to do next. */
  hint?: string;
}
