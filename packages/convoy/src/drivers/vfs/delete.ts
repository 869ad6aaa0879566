import { unlink } from "node:fs/promises";
import { ConvoyError, errnoOf } from "../../errors.ts";
import { Dir } from "../../host/dir.ts";
import type { OperationContext } from "../../host/operation.ts";
import { emptyTree, removeTree } from "../../host/tree/remove.ts";
import type { DetachedVolume } from "../driver.ts";
import {
  type DetachedFile,
  listDetachedNames,
  readDetached,
  removeDetached,
  writeDetached,
} from "../records/detached.ts";
import { describeHolder } from "../records/holders.ts";
import { removeIdentity } from "../records/identities.ts";
import type { Intent } from "../records/intents.ts";
import { freeSnapshotName } from "../records/snapshot-names.ts";
import {
  beginIntent,
  names,
  orSettleSoon,
  recordOfIntent,
  refuseIntents,
  type VfsContext,
  withRecord,
} from "./context.ts";
import { allSnapshots, archiveDirectory, archiveName, requireArchive, snapshotPlace } from "./places.ts";
import { checkRecord, type VfsRecord } from "./record.ts";
import type { OpenShare } from "./share.ts";

/** Below `state`: what is being removed, renamed away first so that nothing half-removed has a name. */
export const TRASH_DIRECTORY = "trash";

/** Deletes a volume with its data and snapshots, or removes only the reference (R6). */
export async function deleteVolume(
  context: VfsContext,
  name: string,
  options: { reference: boolean },
  op: OperationContext,
): Promise<void> {
  await context.share.requireSharedLocks(`Deleting volume ${name}`);
  await context.share.change(async (share) => {
    const intent = await withRecord(context, share, name, async (record) => {
      await refuseHolders(context, share, record);
      if (options.reference) {
        await refuseIntents(context, share, `Removing volume ${name}`, (open) => names(open, name));
        await writeDetached(share.state, { ...record, MountPoint: "" });
        await context.records.remove(share.config, name);
        return undefined;
      }
      await refuseMountsBelow(context, name);
      await requireArchives(context, record);
      return beginDelete(context, share, record);
    });
    if (intent !== undefined) await finish(context, share, intent, op);
  });
}

/** Ends a detached volume for good. */
export async function deleteDetachedVolume(context: VfsContext, name: string, op: OperationContext): Promise<void> {
  await context.share.requireSharedLocks(`Deleting volume ${name}`);
  await context.share.change(async (share) => {
    await requireDetached(share, name);
    const intent = await context.records.locked(share.config, name, async () => {
      const detached = await requireDetached(share, name);
      if ((await share.config.stat(context.records.fileName(name))) !== undefined) {
        throw new ConvoyError(
          "NAME_TAKEN",
          `Volume ${name} uses the directory of the detached volume of that name again`,
          {
            hint: `Delete it with 'convoy delete ${name}' if that is meant.`,
          },
        );
      }
      await refuseMountsBelow(context, name);
      return beginDelete(context, share, detached.Record);
    });
    await finish(context, share, intent, op);
  });
}

async function finish(context: VfsContext, share: OpenShare, intent: Intent, op: OperationContext): Promise<void> {
  try {
    await finishDelete(context, share, intent, op);
  } catch (error) {
    context.intents.abandon(intent);
    context.settleSoon();
    throw error;
  }
}

async function requireDetached(share: OpenShare, name: string): Promise<DetachedFile<VfsRecord>> {
  const detached = await readDetached<VfsRecord>(share.state, name, checkRecord);
  if (detached !== undefined) return detached;
  throw new ConvoyError("VOLUME_NOT_FOUND", `There is no detached volume ${name}`, {
    hint: "'convoy list --detached' shows them; a volume that is not detached is deleted with 'convoy delete'.",
  });
}

export async function listDetachedVolumes(context: VfsContext): Promise<DetachedVolume[]> {
  return context.share.read(async ({ config, state }) => {
    if (state === undefined || config === undefined) return [];
    const volumes: DetachedVolume[] = [];
    for (const name of (await listDetachedNames(state)).sort()) {
      const file = await readDetached<VfsRecord>(state, name, checkRecord);
      // With a live record beside it, the detached one is the rest of an interrupted step and does not count.
      if (file === undefined || (await config.stat(context.records.fileName(name))) !== undefined) continue;
      volumes.push({
        name,
        createdTime: file.Record.CreatedTime,
        detachedTime: file.DetachedTime,
        path: `${context.config.path}/${name}`,
        snapshots: Object.keys(file.Record.Snapshots).sort(),
      });
    }
    return volumes;
  });
}

/** Removes what an interrupted detaching left beside its live record. */
export async function sweepDetached(context: VfsContext, share: OpenShare): Promise<void> {
  for (const name of await listDetachedNames(share.state)) {
    await context.records.locked(share.config, name, async () => {
      const detached = await readDetached<VfsRecord>(share.state, name, checkRecord);
      const live = await context.records.read(share.config, name);
      if (live !== undefined && live.CreatedTime === detached?.Record.CreatedTime)
        await removeDetached(share.state, name);
    });
  }
}

/** Throws VOLUME_MOUNTED, with the text of v0.5.2, while any host holds a mount. */
async function refuseHolders(context: VfsContext, share: OpenShare, record: VfsRecord): Promise<void> {
  await context.holders.refresh(share.state, record.Name);
  const holders = await context.holders.list(share.state, record.Name);
  if (holders.length === 0 && record.MountPoint === "") return;
  const who = holders.length === 0 ? "the record says so" : holders.map(describeHolder).join("; ");
  throw new ConvoyError("VOLUME_MOUNTED", `Cannot delete volume ${record.Name}. It is still mounted`, {
    hint: `Held by: ${who}. Stop the containers that use it, or 'convoy umount ${record.Name}'.`,
  });
}

export async function refuseMountsBelow(context: VfsContext, name: string): Promise<void> {
  const { below } = await context.share.mountsOf(name);
  if (below.length === 0) return;
  throw new ConvoyError(
    "VOLUME_BUSY",
    `Volume ${name} has something mounted in it: ${below.map((m) => m.mountPoint).join(", ")}`,
    {
      hint: "Unmount it first, so that its content is not taken for the volume's.",
    },
  );
}

/** A snapshot whose archive lies on another host is an error, never a reason to drop its record (R8). */
async function requireArchives(context: VfsContext, record: VfsRecord): Promise<void> {
  for (const snapshot of Object.values(record.Snapshots)) {
    const place = snapshotPlace(context, record, snapshot);
    if (place.kind === "archive") await requireArchive(place.file, snapshot);
  }
}

/** The point of no return: from here on the deletion is finished, by this process or at the next start. */
async function beginDelete(context: VfsContext, share: OpenShare, record: VfsRecord): Promise<Intent> {
  const name = record.Name;
  const intent = await beginIntent(
    context,
    share,
    `Deleting volume ${name}`,
    { Operation: "delete", Volume: name, Details: { Record: record } },
    (open) => names(open, name),
  );
  try {
    await context.records.remove(share.config, name);
    await removeDetached(share.state, name);
  } catch (error) {
    await orSettleSoon(context, intent, async () => {
      if (await settleDelete(context, share, intent)) throw new Error("the record went, although its removal failed");
    });
    throw error;
  }
  return intent;
}

/**
 * Says what becomes of a deletion that failed or died, under the record's lock: with its record still there (or, for a
 * detached volume, its detached record) it had not begun, and the intent goes.
 * @returns true if it has begun and is to be finished.
 */
export async function settleDelete(context: VfsContext, share: OpenShare, intent: Intent): Promise<boolean> {
  const { CreatedTime } = recordOfIntent(intent);
  const live = await context.records.read(share.config, intent.Volume);
  const detached = await readDetached<VfsRecord>(share.state, intent.Volume, checkRecord);
  if (live === undefined && detached === undefined) return true;
  if (live !== undefined && live.CreatedTime !== CreatedTime) {
    // Somebody, most likely an original, made a volume of this name anew: its data is not ours to remove.
    context.log.warn(
      { volume: intent.Volume },
      "an interrupted deletion is dropped: the volume was created again meanwhile",
    );
  }
  await context.intents.end(share.state, intent);
  return false;
}

/** Removes everything of a volume whose `delete` intent is open and has begun; every step may be repeated. */
export async function finishDelete(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  const record = recordOfIntent(intent);
  const name = record.Name;
  // What has begun is ended, also when the daemon is asked to stop.
  const unstoppable: OperationContext = { ...op, signal: new AbortController().signal };
  const trash = await share.state.sub(TRASH_DIRECTORY, { create: true });
  try {
    await removeData(context, share, trash, intent, unstoppable);
    await moveToTrash(await allSnapshots(share.state), name, trash, `${intent.ID}-snapshots`);
    await removeTree(trash, `${intent.ID}-snapshots`, unstoppable);
  } finally {
    await trash.close();
  }
  for (const snapshot of Object.values(record.Snapshots)) {
    if (snapshotPlace(context, record, snapshot).kind === "archive") await removeArchive(context, name, snapshot.Name);
    await freeSnapshotName(share.state, snapshot.Name, name);
  }
  await removeIdentity(share.state, name);
  await context.holders.forget(share.state, name);
  await context.intents.end(share.state, intent);
}

async function removeData(
  context: VfsContext,
  share: OpenShare,
  trash: Dir,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  const name = intent.Volume;
  const { at } = await context.share.mountsOf(name);
  if (at.length > 0) {
    const directory = await share.base.sub(name);
    await emptyTree(directory.handlePath, op).finally(() => directory.close());
    op.log.warn(
      { volume: name },
      `volume ${name} was deleted; its directory ${share.base.path}/${name} is a mount point and stays mounted`,
    );
    return;
  }
  const stats = await share.base.stat(name);
  if (stats?.isDirectory()) await share.base.rename(name, trash, intent.ID);
  await removeTree(trash, intent.ID, op);
}

async function moveToTrash(from: Dir | undefined, name: string, trash: Dir, newName: string): Promise<void> {
  if (from === undefined) return;
  try {
    if ((await from.stat(name)) !== undefined) await from.rename(name, trash, newName);
  } finally {
    await from.close();
  }
}

/** Removes an archive of v0.5.2 from this host's disk; absent is a success. */
export async function removeArchive(context: VfsContext, volume: string, snapshot: string): Promise<void> {
  try {
    await unlink(`${archiveDirectory(context)}/${archiveName(volume, snapshot)}`);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    return;
  }
  const dir = await Dir.open(archiveDirectory(context));
  await dir.sync().finally(() => dir.close());
}
