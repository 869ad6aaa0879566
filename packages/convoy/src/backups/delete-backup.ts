import { ConvoyError, isConvoyError } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import type { Store } from "../stores/store.ts";
import { parseBackupUrl } from "../stores/url.ts";
import { loadBackup, writeVolumeCfg } from "./cfg-store.ts";
import type { BackupPlace } from "./engine.ts";
import { type EngineContext, queueKey, withStore } from "./engine-context.ts";
import { finishLeft } from "./finish-left.ts";
import { archiveKey, backupCfgKey } from "./format/layout.ts";
import type { LockPurpose } from "./lock-file.ts";
import { cleanupSignal, type HeldLock, releaseAnyhow } from "./locks.ts";

/**
 * Deletes a single-file backup: its cfg first, then its archive (R24). Only keys derived from the names in the URL are
 * deleted, and nothing if the cfg is not what we would have written (R31). volume.cfg stays, as with v0.5.2.
 * @throws BACKUP_NOT_FOUND, BACKUP_DAMAGED, FORGED, STORE_LOCKED, UNSUPPORTED
 */
export async function deleteBackup(
  engine: EngineContext,
  request: BackupPlace,
  context: OperationContext,
): Promise<void> {
  const { signal } = context;
  const { backup, volume } = parseBackupUrl(request.url);
  const purpose: LockPurpose = { operation: "delete", volume, backup };
  await withStore(engine, request, (store) =>
    engine.queue.run(queueKey(store, volume), context, async () => {
      try {
        await loadDeletable(store, purpose, signal);
      } catch (error) {
        await finishInterrupted(engine, store, error, purpose, context);
        throw error;
      }
      context.progress({ phase: "locking" });
      await store.prepareWrite({ signal, init: false });
      const lock = await acquire(engine, store, purpose, context);
      await deleteUnderLock(store, purpose, lock, context);
    }),
  );
}

function acquire(
  engine: EngineContext,
  store: Store,
  purpose: LockPurpose,
  context: OperationContext,
): Promise<HeldLock> {
  return engine.locks.acquire(store, purpose, (left, signal) => finishLeft(store, left, signal), context);
}

async function loadDeletable(store: Store, { volume, backup }: LockPurpose, signal: AbortSignal) {
  const loaded = await loadBackup(store, volume, backup, signal);
  if (loaded.cfg.blocks === undefined) return loaded;
  throw new ConvoyError(
    "UNSUPPORTED",
    `Backup ${backup} is of driver ${loaded.volumeCfg.driver}; this version cannot delete its blocks`,
    { hint: "Keep it until the block driver is there, or delete it with the Convoy that made it." },
  );
}

/** A backup whose cfg is gone may have been half deleted: its archive goes before the "not found". */
async function finishInterrupted(
  engine: EngineContext,
  store: Store,
  error: unknown,
  purpose: LockPurpose,
  context: OperationContext,
): Promise<void> {
  const { signal } = context;
  if (!isConvoyError(error, "BACKUP_NOT_FOUND")) return;
  if (!(await engine.locks.hasLeftovers(store, purpose.volume, signal))) return;
  await store.prepareWrite({ signal, init: false });
  await releaseAnyhow(await acquire(engine, store, purpose, context), context);
}

async function deleteUnderLock(
  store: Store,
  purpose: LockPurpose,
  lock: HeldLock,
  context: OperationContext,
): Promise<void> {
  const { volume, backup } = purpose;
  let begun = false;
  try {
    const { volumeCfg } = await loadDeletable(store, purpose, context.signal);
    await lock.check(context.signal);
    context.progress({ phase: "deleting" });
    // What has begun is ended, whatever the caller does: half a deletion helps nobody.
    const signal = cleanupSignal();
    if (volumeCfg.lastBackupName === backup) await writeVolumeCfg(store, { ...volumeCfg, lastBackupName: "" }, signal);
    begun = true;
    await store.delete(backupCfgKey(volume, backup), { signal });
    await store.delete(archiveKey(volume, backup), { signal });
  } catch (error) {
    // With the lock's object left behind, this root's next operation on the volume ends what was begun.
    if (begun) lock.abandon();
    else await releaseAnyhow(lock, context);
    throw error;
  }
  await releaseAnyhow(lock, context);
}
