import type { Logger } from "../host/log.ts";
import type { RootIdentity } from "../host/root.ts";
import { CfgCache } from "./cfg-cache.ts";
import { createBackup } from "./create-backup.ts";
import { deleteBackup } from "./delete-backup.ts";
import type { BackupEngine } from "./engine.ts";
import type { EngineContext, OpenStore } from "./engine-context.ts";
import { inspectBackup } from "./inspect-backup.ts";
import { listBackups } from "./list-backups.ts";
import { StoreLocks } from "./locks.ts";
import { openRestore } from "./open-restore.ts";
import { TaskQueue } from "./task-queue.ts";

export interface EngineOptions {
  openStore: OpenStore;
  /** The root whose lock this process holds: its locks in stores that no one here holds are left over. */
  identity: RootIdentity;
  log: Logger;
  /** Directories below which no store may lie, asked at each backup: those of volumes and snapshots (R26). */
  protectedDirectories?: () => Promise<readonly string[]>;
}

/** Makes the backup engine for format v0.5. One per daemon: it knows which locks in stores are its own. */
export function createBackupEngine(options: EngineOptions): BackupEngine {
  const engine: EngineContext = {
    openStore: options.openStore,
    locks: new StoreLocks(options.identity),
    queue: new TaskQueue(),
    cache: new CfgCache(),
    log: options.log,
    protectedDirectories: options.protectedDirectories ?? (async () => []),
  };
  return {
    create: (request, context) => createBackup(engine, request, context),
    list: (request, context) => listBackups(engine, request, context),
    inspect: (request, context) => inspectBackup(engine, request, context),
    delete: (request, context) => deleteBackup(engine, request, context),
    openRestore: (request, context) => openRestore(engine, request, context),
  };
}
