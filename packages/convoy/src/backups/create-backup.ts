import { ConvoyError } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import { formatTime } from "../host/time.ts";
import type { Store } from "../stores/store.ts";
import { buildBackupUrl, parseDestination } from "../stores/url.ts";
import { type ArchiveStream, readArchive } from "./archive-source.ts";
import type { Digest } from "./digest.ts";
import type { BackupPlace, CreatedBackup } from "./engine.ts";
import { type EngineContext, queueKey, withStore } from "./engine-context.ts";
import { finishLeft } from "./finish-left.ts";
import { encodeBackupCfg } from "./format/backup-cfg.ts";
import { archiveKey, backupCfgKey, newBackupName, volumeCfgKey } from "./format/layout.ts";
import { cleanupSignal, type HeldLock, releaseAnyhow } from "./locks.ts";
import type { BackupSubject, Source } from "./source.ts";
import { refuseStoreWithin } from "./store-place.ts";
import { type Claim, claimVolume, listBackupCfgs } from "./volume-claim.ts";

export interface CreateRequest extends BackupPlace {
  initStore: boolean;
  subject: BackupSubject;
  source: Source;
}

/**
 * Backs a snapshot up as a single-file backup. Order: lock, volume.cfg, archive, cfg; the cfg makes it a backup, so a
 * crash at any point leaves either a complete backup or none. On failure everything is taken back.
 */
export async function createBackup(
  engine: EngineContext,
  request: CreateRequest,
  context: OperationContext,
): Promise<CreatedBackup> {
  parseDestination(request.url);
  const volume = request.subject.volume.name;
  return await withStore(engine, request, async (store) => {
    const directories = request.source.kind === "tree" ? [request.source.directory] : [];
    await refuseStoreWithin(request.url, [...directories, ...(await engine.protectedDirectories())]);
    return await engine.queue.run(queueKey(store, volume), context, async () => {
      const { signal } = context;
      context.progress({ phase: "locking" });
      await store.prepareWrite({ signal, init: request.initStore });
      const archive = await readArchive(request.source, context);
      const backup = newBackupName();
      const lock = await engine.locks.acquire(
        store,
        { operation: "backup", volume, backup },
        (left, cleanup) => finishLeft(store, left, cleanup),
        context,
      );
      const warnings = await writeUnderLock(store, request.subject, backup, archive, lock, context);
      // The backup is complete and listed: from here on nothing may turn it into a failure.
      await releaseAnyhow(lock, context);
      await archive.keepFindings();
      return { url: buildBackupUrl(request.url, backup, volume), warnings };
    });
  });
}

/** Writes the backup, or takes everything back and gives the lock up. @returns warnings */
async function writeUnderLock(
  store: Store,
  subject: BackupSubject,
  backup: string,
  archive: ArchiveStream,
  lock: HeldLock,
  context: OperationContext,
): Promise<string[]> {
  const { signal } = context;
  let claim: Claim | undefined;
  try {
    claim = await claimVolume(store, subject.volume, context.log, signal);
    const digest = await upload(store, archiveKey(subject.volume.name, backup), archive, signal);
    context.progress({ phase: "verifying" });
    await lock.check(signal);
    await writeCfg(store, subject, backup, digest, signal);
    await lock.check(signal);
    return claim.warnings;
  } catch (error) {
    await withdraw(store, subject.volume.name, backup, claim?.written === true, lock, context);
    throw error;
  }
}

async function upload(store: Store, key: string, archive: ArchiveStream, signal: AbortSignal): Promise<Digest> {
  await store.put(key, archive.body, {
    signal,
    ...(archive.sizeHint !== undefined && { sizeHint: archive.sizeHint }),
  });
  const digest = archive.result();
  const stored = await store.stat(key, { signal });
  if (stored?.size !== digest.size) throw unlike(key, `${digest.size} bytes`, `${stored?.size ?? "no"} bytes`);
  return digest;
}

/** Writes the cfg and reads it back: only what was seen in the store is acknowledged. */
async function writeCfg(
  store: Store,
  { volume, snapshot }: BackupSubject,
  backup: string,
  { size: archiveSize, sha256: archiveSha256 }: Digest,
  signal: AbortSignal,
): Promise<void> {
  const key = backupCfgKey(volume.name, backup);
  const bytes = encodeBackupCfg({
    name: backup,
    volumeName: volume.name,
    snapshotName: snapshot.name,
    snapshotCreatedTime: snapshot.createdTime,
    createdTime: formatTime(),
    ...(volume.id !== "" && { volumeId: volume.id }),
    ...(snapshot.id !== "" && { snapshotId: snapshot.id }),
    volumeSize: volume.size,
    volumeCreatedTime: volume.createdTime,
    archiveSize,
    archiveSha256,
  });
  await store.put(key, bytes, { signal });
  const read = await store.read(key, { signal, maxBytes: bytes.length });
  if (read === undefined || Buffer.compare(read, bytes) !== 0) throw unlike(key, "what was written", "something else");
}

/**
 * Takes a failed backup back: cfg before archive, so that no backup without its data is ever listed. If that fails,
 * the lock's object stays and names the backup: this root's next operation on the volume ends the work.
 */
async function withdraw(
  store: Store,
  volume: string,
  backup: string,
  volumeCfgIsOurs: boolean,
  lock: HeldLock,
  context: OperationContext,
): Promise<void> {
  const signal = cleanupSignal();
  try {
    await store.delete(backupCfgKey(volume, backup), { signal });
    await store.delete(archiveKey(volume, backup), { signal });
    if (volumeCfgIsOurs && (await listBackupCfgs(store, volume, signal)).length === 0) {
      // Without the lock somebody else may be writing the first backup just now, which needs volume.cfg.
      await lock.check(signal);
      await store.delete(volumeCfgKey(volume), { signal });
    }
  } catch (err) {
    lock.abandon();
    context.log.warn({ err, volume, backup }, "a failed backup could not be removed; the next backup does that");
    return;
  }
  await releaseAnyhow(lock, context);
}

function unlike(key: string, written: string, found: string): ConvoyError {
  return new ConvoyError(
    "STORE_FAILED",
    `The store does not have ${key} as it was written: ${written}, then ${found}`,
    {
      hint: "The backup was taken back. Look for a full or failing disk, or for something else that changes the store.",
    },
  );
}
