import type { Source } from "../../backups/source.ts";
import { ConvoyError } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import type { OperationContext } from "../../host/operation.ts";
import { newId } from "../../host/root.ts";
import { formatTime } from "../../host/time.ts";
import { removeTree } from "../../host/tree/remove.ts";
import { type SnapshotResult, snapshotTree } from "../../host/tree/snapshot.ts";
import type { SnapshotState } from "../driver.ts";
import { newIdentity, readIdentity, writeIdentity } from "../records/identities.ts";
import type { Intent } from "../records/intents.ts";
import { freeSnapshotName, reserveSnapshotName, snapshotExists } from "../records/snapshot-names.ts";
import { beginIntent, names, orSettleSoon, requireRecord, type VfsContext, withRecord } from "./context.ts";
import { NEW_DIRECTORY, removeNew } from "./create.ts";
import { removeArchive, TRASH_DIRECTORY } from "./delete.ts";
import { openVolume } from "./mount.ts";
import { requireArchive, snapshotPlace, treeFilePath, volumeSnapshots } from "./places.ts";
import type { VfsRecord, VfsSnapshot } from "./record.ts";
import { keepReserve } from "./reserve.ts";
import { closeShare, type OpenShare } from "./share.ts";
import { toSnapshotState } from "./state.ts";

const TREE = "tree";
const MANIFEST = "manifest";

/**
 * Copies the volume's directory into a tree of its own under a dot name, then renames it into place (R15, R16). The
 * volume may be mounted and used meanwhile.
 */
export async function createSnapshot(
  context: VfsContext,
  volume: string,
  snapshot: string,
  op: OperationContext,
): Promise<SnapshotState> {
  return context.share.change(async (share) => {
    await keepReserve(share);
    const { intent, record } = await withRecord(context, share, volume, async (present) => ({
      intent: await begin(context, share, present, snapshot),
      record: present,
    }));
    try {
      const result = await copy(share, intent, volume, op);
      op.signal.throwIfAborted();
      return await context.records.locked(share.config, volume, () =>
        publish(context, share, intent, record.CreatedTime, warningsOf(result)),
      );
    } catch (error) {
      await orSettleSoon(context, intent, () => settleSnapshot(context, share, intent, op));
      throw error;
    }
  });
}

async function begin(context: VfsContext, share: OpenShare, record: VfsRecord, snapshot: string): Promise<Intent> {
  const volume = record.Name;
  if (record.Snapshots[snapshot] !== undefined) throw snapshotExists(snapshot);
  const intent = await beginIntent(
    context,
    share,
    `Creating snapshot ${snapshot}`,
    { Operation: "snapshot", Volume: volume, Snapshot: snapshot },
    (open) => names(open, volume) && (open.Operation === "delete" || open.Operation === "rename"),
  );
  try {
    await reserveSnapshotName(share.state, snapshot, volume);
  } catch (error) {
    await orSettleSoon(context, intent, () => context.intents.end(share.state, intent));
    throw error;
  }
  return intent;
}

async function copy(share: OpenShare, intent: Intent, volume: string, op: OperationContext): Promise<SnapshotResult> {
  const building = await share.state.descend([NEW_DIRECTORY, intent.ID], { create: true });
  try {
    await building.mkdir(TREE, 0o700);
    return await openVolume(share.base, volume, (source) =>
      snapshotTree(
        {
          source: source.handlePath,
          target: `${building.handlePath}/${TREE}`,
          manifest: `${building.handlePath}/${MANIFEST}`,
        },
        op,
      ),
    );
  } finally {
    await building.close();
  }
}

function warningsOf(result: SnapshotResult): string[] {
  const list = (paths: readonly string[]) => `${paths.slice(0, 10).join(", ")}${paths.length > 10 ? ", …" : ""}`;
  const warnings: string[] = [];
  if (!result.onePointInTime) {
    const { unstableCount, unstable } = result;
    warnings.push(`not one point in time: ${unstableCount} changed while they were copied: ${list(unstable)}`);
  }
  if (result.skippedCount > 0) warnings.push(`left out: ${result.skippedCount}: ${list(result.skipped)}`);
  if (result.copiedLinks > 0) {
    warnings.push(`${result.copiedLinks} hard links became copies: the file system allows no more links to a file`);
  }
  return warnings;
}

async function publish(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  volumeCreatedTime: string,
  warnings: string[],
): Promise<SnapshotState> {
  const { Volume: volume } = intent;
  const name = intent.Snapshot!;
  const record = await requireRecord(context, share, volume);
  if (record.CreatedTime !== volumeCreatedTime) {
    throw new ConvoyError(
      "VOLUME_NOT_FOUND",
      `volume ${volume} was deleted and created again while its snapshot was made`,
    );
  }
  const building = await share.state.sub(NEW_DIRECTORY);
  const snapshots = await volumeSnapshots(share.state, volume, true);
  try {
    await building.rename(intent.ID, snapshots, name);
  } finally {
    await snapshots.close();
    await building.close();
  }
  const snapshot: VfsSnapshot = {
    Name: name,
    CreatedTime: formatTime(new Date()),
    VolumeUUID: volume,
    FilePath: treeFilePath(context.config.path, volume, name),
  };
  const identity =
    (await readIdentity(share.state, volume, record.CreatedTime)) ?? newIdentity(volume, record.CreatedTime);
  const entry = {
    ID: newId(),
    CreatedTime: snapshot.CreatedTime,
    ...(warnings.length > 0 ? { Warnings: warnings } : {}),
  };
  const updated = { ...identity, Snapshots: { ...identity.Snapshots, [name]: entry } };
  await writeIdentity(share.state, updated);
  await context.records.write(share.config, { ...record, Snapshots: { ...record.Snapshots, [name]: snapshot } });
  // The snapshot is there now; an intent that cannot be removed is settled later.
  await orSettleSoon(context, intent, () => context.intents.end(share.state, intent));
  return toSnapshotState(snapshot, updated);
}

/**
 * Settles a snapshot that failed or died: named by its record it is complete, otherwise everything of it is removed.
 * Takes the record's lock; every step may be repeated.
 */
export async function settleSnapshot(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  const { Volume: volume } = intent;
  const name = intent.Snapshot!;
  const patient = { ...op, signal: new AbortController().signal };
  await context.records.locked(share.config, volume, async () => {
    const record = await context.records.read(share.config, volume);
    if (record?.Snapshots[name] !== undefined) return;
    await removeSnapshotTree(share, volume, name, intent.ID, patient);
    await freeSnapshotName(share.state, name, volume);
  });
  await removeNew(share, intent, patient);
  await context.intents.end(share.state, intent);
}

async function removeSnapshotTree(
  share: OpenShare,
  volume: string,
  snapshot: string,
  trashName: string,
  op: OperationContext,
): Promise<void> {
  const snapshots = await volumeSnapshots(share.state, volume, true);
  const trash = await share.state.sub(TRASH_DIRECTORY, { create: true });
  try {
    if ((await snapshots.stat(snapshot)) !== undefined) await snapshots.rename(snapshot, trash, trashName);
    await removeTree(trash, trashName, op);
  } finally {
    await trash.close();
    await snapshots.close();
  }
}

function requireSnapshot(record: VfsRecord, snapshot: string): VfsSnapshot {
  const found = record.Snapshots[snapshot];
  if (found !== undefined) return found;
  throw new ConvoyError("SNAPSHOT_NOT_FOUND", `cannot find snapshot ${snapshot} of volume ${record.Name}`, {
    hint: `'convoy inspect ${record.Name}' shows its snapshots.`,
  });
}

export async function deleteSnapshot(
  context: VfsContext,
  volume: string,
  snapshot: string,
  op: OperationContext,
): Promise<void> {
  await context.share.change(async (share) => {
    const intent = await withRecord(context, share, volume, async (record) => {
      const present = requireSnapshot(record, snapshot);
      const place = snapshotPlace(context, record, present);
      if (place.kind === "archive") await requireArchive(place.file, present);
      const begun = await beginIntent(
        context,
        share,
        `Deleting snapshot ${snapshot}`,
        { Operation: "delete-snapshot", Volume: volume, Snapshot: snapshot, Details: { Kind: place.kind } },
        (open) => names(open, volume) && (open.Snapshot === undefined || open.Snapshot === snapshot),
      );
      const { [snapshot]: _, ...rest } = record.Snapshots;
      try {
        await context.records.write(share.config, { ...record, Snapshots: rest });
      } catch (error) {
        await orSettleSoon(context, begun, () => settleUnbegunDeletion(context, share, begun));
        throw error;
      }
      return begun;
    });
    try {
      await finishDeleteSnapshot(context, share, intent, op);
    } catch (error) {
      context.intents.abandon(intent);
      context.settleSoon();
      throw error;
    }
  });
}

/** Drops the intent if the record still names the snapshot; otherwise the deletion has begun and is finished later. */
async function settleUnbegunDeletion(context: VfsContext, share: OpenShare, intent: Intent): Promise<void> {
  const record = await context.records.read(share.config, intent.Volume);
  if (record?.Snapshots[intent.Snapshot!] !== undefined) await context.intents.end(share.state, intent);
  else throw new Error("the record was written, although its writing failed");
}

/** Removes the data of a snapshot that its record does not name any more; every step may be repeated. */
export async function finishDeleteSnapshot(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  const { Volume: volume } = intent;
  const snapshot = intent.Snapshot!;
  await removeSnapshotTree(share, volume, snapshot, intent.ID, { ...op, signal: new AbortController().signal });
  if (intent.Details?.["Kind"] === "archive") await removeArchive(context, volume, snapshot);
  await context.records.locked(share.config, volume, async () => {
    const record = await context.records.read(share.config, volume);
    const identity = record && (await readIdentity(share.state, volume, record.CreatedTime));
    if (identity?.Snapshots[snapshot] !== undefined) {
      const { [snapshot]: _, ...rest } = identity.Snapshots;
      await writeIdentity(share.state, { ...identity, Snapshots: rest });
    }
  });
  await freeSnapshotName(share.state, snapshot, volume);
  await context.intents.end(share.state, intent);
}

/** Gives a volume and a snapshot that v0.5.2 made their ids, before a backup bears them (R20). */
async function ensureIds(share: OpenShare, record: VfsRecord, snapshot: VfsSnapshot): Promise<void> {
  const identity = await readIdentity(share.state, record.Name, record.CreatedTime);
  if (identity?.Snapshots[snapshot.Name]?.CreatedTime === snapshot.CreatedTime) return;
  const base = identity ?? newIdentity(record.Name, record.CreatedTime);
  const entry = { ID: newId(), CreatedTime: snapshot.CreatedTime };
  await writeIdentity(share.state, { ...base, Snapshots: { ...base.Snapshots, [snapshot.Name]: entry } });
}

/** Opens a snapshot for a backup and holds it, for every host, until the source is closed. */
export async function openSnapshotSource(context: VfsContext, volume: string, snapshot: string): Promise<Source> {
  const share = await context.share.openForChange();
  const opened: { intent?: Intent; tree?: Dir } = {};
  // Never fails: what was read is good, whatever becomes of the handles.
  const close = async () => {
    const { intent, tree } = opened;
    if (intent !== undefined) await orSettleSoon(context, intent, () => context.intents.end(share.state, intent));
    await Promise.allSettled([tree?.close(), closeShare(share)]);
  };
  try {
    return await withRecord(context, share, volume, async (record): Promise<Source> => {
      const present = requireSnapshot(record, snapshot);
      const place = snapshotPlace(context, record, present);
      if (place.kind === "archive") await requireArchive(place.file, present);
      opened.intent = await beginIntent(
        context,
        share,
        `Backing up snapshot ${snapshot}`,
        { Operation: "backup", Volume: volume, Snapshot: snapshot },
        (open) => names(open, volume) && ["delete", "rename"].includes(open.Operation),
      );
      await ensureIds(share, record, present);
      if (place.kind === "archive") return { kind: "archive", file: place.file, close };
      opened.tree = await share.state.descend(["snapshots", volume, snapshot]);
      return {
        kind: "tree",
        directory: `${opened.tree.handlePath}/${TREE}`,
        manifest: `${opened.tree.handlePath}/${MANIFEST}`,
        close,
      };
    });
  } catch (error) {
    await close();
    throw error;
  }
}
