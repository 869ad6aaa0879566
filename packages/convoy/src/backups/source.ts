/**
 * What a driver hands to the backup engine for one snapshot. Never a tar stream: the engine needs the entries.
 * Block drivers add `kind: "ranges"` with their issue.
 */
export interface TreeSource {
  readonly kind: "tree";
  /** Directory whose content is the snapshot; safe to open for the life of the source (it may be a /proc/self/fd path). */
  readonly directory: string;
  /** Manifest written with the snapshot (host/tree/manifest.ts): the checksums that the data must have (R16). */
  readonly manifest: string;
  close(): Promise<void>;
}

/** A snapshot that Convoy v0.5.2 made: a finished .tar.gz, backed up as it is. */
export interface ArchiveSource {
  readonly kind: "archive";
  readonly file: string;
  close(): Promise<void>;
}

export type Source = TreeSource | ArchiveSource;

/** Where a restore writes: an empty directory that the driver made and will rename into place when all is well. */
export interface TreeTarget {
  readonly kind: "tree";
  readonly directory: string;
  /** Extraction stops before the file system has less than this many bytes left (R27). */
  readonly reserveBytes: number;
}

export type RestoreTarget = TreeTarget;

/** What the engine writes about the volume and the snapshot into the store. */
export interface BackupSubject {
  volume: {
    name: string;
    id: string;
    driver: string;
    size: number;
    createdTime: string;
    /** Id of the volume that this one was restored from (R20): backups of that one give no warning. */
    ancestorId?: string;
  };
  snapshot: { name: string; id: string; createdTime: string };
}
