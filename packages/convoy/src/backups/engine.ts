import type { OperationContext } from "../host/operation.ts";
import type { BackupSubject, RestoreTarget, Source } from "./source.ts";

/** What is known of a backup without reading its data. */
export interface BackupSummary {
  name: string;
  /** URL as `list` prints it: rebuilt destination + `?backup=…&volume=…`. */
  url: string;
  volumeName: string;
  snapshotName: string;
  createdTime: string;
  snapshotCreatedTime: string;
  /** Driver that made it, from volume.cfg: only that driver restores it. */
  driver: string;
  volumeCreatedTime: string;
  /** Bytes; 0 for vfs. */
  volumeSize: number;
  /** Ids of R20, empty for backups of v0.5.2. */
  volumeId: string;
  snapshotId: string;
  /** Why it cannot be used; left out when nothing is known against it. */
  problem?: string;
}

export interface BackupPlace {
  /** Destination (create, list) or backup URL (inspect, delete, restore). */
  url: string;
  /** S3 endpoint; empty: the service's own. */
  endpoint: string;
}

export interface CreatedBackup {
  /** The destination exactly as given + `?backup=<name>&volume=<volume>`. */
  url: string;
  warnings: string[];
}

export interface OpenedRestore {
  summary: BackupSummary;
  /** Writes the backup's data; throws BACKUP_DAMAGED, NO_SPACE, … and leaves the target to be thrown away. */
  fill(target: RestoreTarget, context: OperationContext): Promise<void>;
  close(): Promise<void>;
}

/** The backup engine (format v0.5): knows stores and sources, nothing of drivers or protocols. */
export interface BackupEngine {
  create(
    request: BackupPlace & { initStore: boolean; subject: BackupSubject; source: Source },
    context: OperationContext,
  ): Promise<CreatedBackup>;
  /** Unreadable backups are listed with `problem`, they never fail the list. */
  list(
    request: BackupPlace & { volume: string; snapshot: string },
    context: OperationContext,
  ): Promise<BackupSummary[]>;
  inspect(request: BackupPlace, context: OperationContext): Promise<BackupSummary>;
  delete(request: BackupPlace, context: OperationContext): Promise<void>;
  openRestore(request: BackupPlace, context: OperationContext): Promise<OpenedRestore>;
}
