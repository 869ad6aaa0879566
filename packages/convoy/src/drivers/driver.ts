import type { RestoreTarget, Source } from "../backups/source.ts";
import type { OperationContext } from "../host/operation.ts";

/**
 * The contract of a storage driver. One suite (`driver-contract.ts`) runs against every driver.
 *
 * Who does what: `volumes/` checks names, holds one lock per volume in this process, keeps simultaneous requests apart
 * and knows protocols' needs; a driver owns its volumes' records, data, snapshots and holders.
 *
 * Rules:
 * - A volume is visible (get, list) only when its creation is complete (R13). Until then its name is reserved.
 * - Every multi-step change writes an intent first (R5); on failure it undoes itself, after a crash `recover` does.
 * - A listing never fails because of one volume: a damaged record becomes a VolumeState with `problem` (R2).
 * - Optional abilities are declared in `abilities`, never discovered by failing; a method whose ability is declared
 *   false may be missing, and `volumes/` refuses the call by name.
 * - Errors are ConvoyErrors; a missing volume is VOLUME_NOT_FOUND, a missing snapshot SNAPSHOT_NOT_FOUND.
 * - Long methods take an OperationContext, stop soon after its signal and leave nothing half-made.
 */
export interface DriverAbilities {
  snapshots: boolean;
  /** `source`: the backup engine moves the data; `own`: the driver does it and owns URLs with its own scheme. */
  backups: "source" | "own" | "none";
  /** `size` of create has a meaning (always true together with `vm`). */
  size: boolean;
  vm: boolean;
  /** A chosen mount point is honoured. */
  mountPoint: boolean;
  /** `delete --reference` keeps the data. */
  referenceRemoval: boolean;
  rename: boolean;
  revert: boolean;
  cloneSnapshot: boolean;
  /** Take over an existing volume of the driver by id. */
  id: boolean;
  type: boolean;
  iops: boolean;
  /** `uid`, `gid`, `mode` of a new volume's root directory. */
  owner: boolean;
  /** What Docker's Remove does unless `--docker-remove` says otherwise (v0.5.2's behaviour). */
  dockerRemove: "detach" | "delete";
}

export interface CreateSpec {
  /** Valid and not used by any driver of this daemon. */
  name: string;
  /** Bytes; 0: the driver's default. */
  size: number;
  vm: boolean;
  id: string;
  type: string;
  iops: number;
  owner: { uid?: number; gid?: number; mode?: number };
  /** Set for a restore: fills the target, or throws and leaves it in any state (the driver throws it away). */
  restore?: {
    /** Id of the volume that the backup was made of, to be recorded (R20); empty if the backup bears none. */
    ancestorId: string;
    fill(target: RestoreTarget, context: OperationContext): Promise<void>;
  };
}

export interface SnapshotState {
  name: string;
  /** Random id (R20); empty for snapshots that v0.5.2 made. */
  id: string;
  createdTime: string;
  /** As in the REST answers, without `Driver`. */
  info: Record<string, string>;
  /** Things the user should know, for example files that changed while they were copied. */
  warnings: string[];
}

export interface Holder {
  kind: "docker" | "manual" | "legacy";
  root: string;
  host: string;
  /** Docker's caller id; empty for the other kinds. */
  id: string;
  since: string;
}

export interface VolumeState {
  name: string;
  driver: string;
  /** Random id (R20); made at the first change for volumes that v0.5.2 made, empty until then. */
  id: string;
  /** Id of the volume whose backup this one was restored from (R20). */
  ancestorId?: string;
  /** Bytes; 0 where volumes have no size. */
  size: number;
  /** Empty while not mounted. */
  mountPoint: string;
  /** `Fri Nov 20 06:49:40 +0000 2026`, UTC. */
  createdTime: string;
  /** DriverInfo of the REST answers, without `Driver`. */
  info: Record<string, string>;
  snapshots: Map<string, SnapshotState>;
  holders: Holder[];
  /** Set if the volume cannot be used now: its record is damaged or its place cannot be reached. */
  problem?: string;
  /** Things the user should know about the call that answered this; never part of a listing. */
  warnings?: string[];
}

export interface DetachedVolume {
  name: string;
  createdTime: string;
  detachedTime: string;
  path: string;
  snapshots: string[];
}

export interface MountRequest {
  /** Empty: the driver's own place. */
  mountPoint: string;
  /** `docker` with Docker's caller id (empty for engines that send none), or `manual`. */
  holder: { kind: "docker" | "manual"; id: string };
}

export interface UmountRequest {
  /** `manual` ends a `legacy` holder as well. */
  holder: { kind: Holder["kind"]; id: string };
  /** End every holder of this root. */
  force: boolean;
  /** With `force`: a foreign root id whose holders end as well. */
  forceRoot: string;
}

export interface Driver {
  readonly name: string;
  readonly abilities: DriverAbilities;

  /** Fields of `convoy info`, all strings. */
  info(): Promise<Record<string, string>>;
  /** Settings that differ between the command line of this start and what is saved, for the log. */
  readonly ignoredOptions: string[];

  /**
   * Called once, when every driver of a start is open and before any other method: saves a new configuration and makes
   * what only a first start makes. Opening a driver changes nothing, so that a start that fails leaves nothing behind.
   */
  commit?(): Promise<void>;

  list(): Promise<VolumeState[]>;
  /** True if there is such a volume, in whatever state. Cheaper than `get`. */
  has(name: string): Promise<boolean>;
  /** @returns undefined if there is no such volume; throws RECORD_DAMAGED or UNREACHABLE if that cannot be told. */
  get(name: string): Promise<VolumeState | undefined>;
  create(spec: CreateSpec, context: OperationContext): Promise<VolumeState>;
  /** Refused while any host holds a mount. `reference` only with the ability. */
  delete(name: string, options: { reference: boolean }, context: OperationContext): Promise<void>;
  listDetached?(): Promise<DetachedVolume[]>;
  deleteDetached?(name: string, context: OperationContext): Promise<void>;
  rename?(name: string, newName: string, context: OperationContext): Promise<void>;

  /** Idempotent per holder. @returns the mount point. */
  mount(name: string, request: MountRequest): Promise<string>;
  /**
   * Ends the holder; unmounts when it was the last. An unknown holder is a success (Docker repeats requests).
   * @returns the holders that remain.
   */
  umount(name: string, request: UmountRequest): Promise<Holder[]>;

  /** Volumes that have a snapshot of this name: none, one, or more after an accident. */
  findSnapshot?(snapshot: string): Promise<string[]>;
  createSnapshot?(volume: string, snapshot: string, context: OperationContext): Promise<SnapshotState>;
  deleteSnapshot?(volume: string, snapshot: string, context: OperationContext): Promise<void>;
  /** Puts the volume back to the snapshot after keeping the present state as `<volume>-before-revert-<time>` (R18). */
  revert?(volume: string, snapshot: string, context: OperationContext): Promise<void>;
  /** Creates `spec.name` with the content of a snapshot. */
  cloneSnapshot?(volume: string, snapshot: string, spec: CreateSpec, context: OperationContext): Promise<VolumeState>;
  /** Opens a snapshot for a backup and holds it; afterwards `get` tells the ids of volume and snapshot. */
  openSource?(volume: string, snapshot: string): Promise<Source>;
  /** Says what of the driver's `path` (absolute, links resolved) lies in, so that no store is put there (R26). */
  claims?(path: string): Promise<string | undefined>;

  /** Finishes or undoes open intents of this root and brings mounts back. One volume's failure never stops the rest. */
  recover(context: OperationContext): Promise<void>;
  /** Gives back handles. Mounts and volumes live on. */
  close(): Promise<void>;
}
