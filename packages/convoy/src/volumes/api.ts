import type { BackupSummary } from "../backups/engine.ts";
import type { DetachedVolume, Holder, SnapshotState, VolumeState } from "../drivers/driver.ts";

/** A create request after decoding; names and sizes are still as the caller gave them. */
export interface CreateRequest {
  /** Empty: a name is made up. */
  name: string;
  driver: string;
  /** Bytes; 0: the driver's default. */
  size: number;
  backupUrl: string;
  endpoint: string;
  id: string;
  type: string;
  iops: number;
  vm: boolean;
  uid?: number;
  gid?: number;
  /** Octal text, for example `0770`. */
  mode?: string;
}

/** A snapshot together with its volume. */
export interface SnapshotOfVolume {
  volume: VolumeState;
  snapshot: SnapshotState;
}

/**
 * Everything that can be done with volumes, snapshots and backups, whichever protocol asked. Errors are ConvoyErrors
 * whose messages are those of Convoy v0.5.2 where it has one for the case. Calls take one lock per volume; reading
 * never waits for a running operation.
 */
export interface VolumesApi {
  readonly drivers: string[];
  readonly defaultDriver: string;
  driverInfo(): Promise<Map<string, Record<string, string>>>;

  list(): Promise<VolumeState[]>;
  listDetached(): Promise<(DetachedVolume & { driver: string })[]>;
  /** VOLUME_NOT_FOUND ("Volume not found."), RECORD_DAMAGED, UNREACHABLE. */
  inspect(name: string): Promise<VolumeState>;
  /** @returns undefined instead of VOLUME_NOT_FOUND. */
  find(name: string): Promise<VolumeState | undefined>;
  /** Exactly one of simultaneous creates of a name wins; the rest get VOLUME_EXISTS. */
  create(request: CreateRequest): Promise<{ volume: VolumeState; warnings: string[] }>;
  /**
   * Docker's create (R13): an existing volume is a success; an equal request for a name that is being created joins
   * it, a different one is OPERATION_RUNNING; after 100 s the answer is OPERATION_RUNNING and the work goes on.
   */
  createForDocker(request: CreateRequest): Promise<{ volume: VolumeState; warnings: string[] }>;
  delete(name: string, options: { reference: boolean }): Promise<void>;
  deleteDetached(name: string): Promise<void>;
  /** Docker's Remove: reference-only or with the data, as configured per driver; an unknown volume is a success. */
  removeForDocker(name: string): Promise<void>;
  rename(name: string, newName: string): Promise<void>;

  /** A mount by hand. `volume X doesn't exist` is VOLUME_NOT_FOUND with that text. */
  mount(name: string, mountPoint: string): Promise<string>;
  /** Ends the hand-made holder (and with `force` all of this root, with `forceRoot` also that root's); STILL_HELD names who remains. */
  umount(name: string, options: { force: boolean; forceRoot: string }): Promise<void>;
  /** Mount for Docker's caller id (empty for engines that send none). */
  mountForDocker(name: string, id: string): Promise<string>;
  umountForDocker(name: string, id: string): Promise<Holder[]>;

  createSnapshot(volume: string, name: string): Promise<SnapshotOfVolume>;
  /** `volume` is needed only if several volumes have a snapshot of this name (SNAPSHOT_AMBIGUOUS). */
  inspectSnapshot(name: string, volume?: string): Promise<SnapshotOfVolume>;
  deleteSnapshot(name: string, volume?: string): Promise<void>;

  createBackup(request: {
    url: string;
    endpoint: string;
    snapshot: string;
    volume: string;
    initStore: boolean;
  }): Promise<{ url: string; warnings: string[] }>;
  listBackups(request: { url: string; endpoint: string; volume: string; snapshot: string }): Promise<BackupSummary[]>;
  inspectBackup(request: { url: string; endpoint: string }): Promise<BackupSummary>;
  deleteBackup(request: { url: string; endpoint: string }): Promise<void>;

  /** Refuses new work, cancels what can be undone and waits (limited) until nothing runs. */
  shutdown(limitMs: number): Promise<void>;
}
