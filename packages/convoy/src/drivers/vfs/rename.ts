import { link, unlink } from "node:fs/promises";
import { ConvoyError, errnoOf } from "../../errors.ts";
import { Dir } from "../../host/dir.ts";
import * as sys from "../../host/sys.ts";
import { readDetached, removeDetached } from "../records/detached.ts";
import { readIdentity, removeIdentity, writeIdentity } from "../records/identities.ts";
import type { Intent } from "../records/intents.ts";
import { volumeExists } from "../records/record-files.ts";
import { moveSnapshotName } from "../records/snapshot-names.ts";
import { beginIntent, names, orSettleSoon, recordOfIntent, requireRecord, type VfsContext } from "./context.ts";
import { refuseMountsBelow } from "./delete.ts";
import { allSnapshots, archiveDirectory, archiveName, requireArchive, snapshotPlace, treeFilePath } from "./places.ts";
import { checkRecord, type VfsRecord } from "./record.ts";
import type { OpenShare } from "./share.ts";

/** Gives an unmounted volume, with its snapshots, another name. */
export async function renameVolume(context: VfsContext, name: string, newName: string): Promise<void> {
  await context.share.requireSharedLocks(`Renaming volume ${name}`);
  await context.share.change(async (share) => {
    await requireRecord(context, share, name);
    await lockedBoth(context, share, name, newName, async () => {
      const record = await requireRecord(context, share, name);
      await refuseMounted(context, share, record);
      await refuseTaken(context, share, newName);
      await refuseMountsBelow(context, name);
      if ((await context.share.mountsOf(name)).at.length > 0) {
        throw new ConvoyError("VOLUME_BUSY", `The directory of volume ${name} is a mount point and cannot be renamed`);
      }
      for (const snapshot of Object.values(record.Snapshots)) {
        const place = snapshotPlace(context, record, snapshot);
        if (place.kind === "archive") await requireArchive(place.file, snapshot);
      }
      const intent = await beginIntent(
        context,
        share,
        `Renaming volume ${name}`,
        { Operation: "rename", Volume: name, NewName: newName, Details: { Record: record } },
        (open) => names(open, name) || names(open, newName),
      );
      try {
        await carryOut(context, share, intent, record);
      } catch (error) {
        await orSettleSoon(context, intent, () => settleUnderLocks(context, share, intent));
        if (!(await isRenamed(context, share, intent))) throw error;
      }
    });
  });
}

/** Takes both records' locks in an order that two renames cannot block each other with. */
function lockedBoth<T>(
  context: VfsContext,
  share: OpenShare,
  a: string,
  b: string,
  work: () => Promise<T>,
): Promise<T> {
  const [first, second] = a < b ? [a, b] : [b, a];
  return context.records.locked(share.config, first, () => context.records.locked(share.config, second, work));
}

async function refuseMounted(context: VfsContext, share: OpenShare, record: VfsRecord): Promise<void> {
  await context.holders.refresh(share.state, record.Name);
  const holders = await context.holders.list(share.state, record.Name);
  if (holders.length === 0 && record.MountPoint === "") return;
  throw new ConvoyError("VOLUME_MOUNTED", `Cannot rename volume ${record.Name}. It is still mounted`, {
    hint: `Stop the containers that use it, or 'convoy umount ${record.Name}'.`,
  });
}

async function refuseTaken(context: VfsContext, share: OpenShare, newName: string): Promise<void> {
  if ((await share.config.stat(context.records.fileName(newName))) !== undefined) throw volumeExists(newName);
  if ((await readDetached<VfsRecord>(share.state, newName, checkRecord)) !== undefined) {
    throw new ConvoyError("NAME_TAKEN", `The name ${newName} is taken by a volume that was removed reference-only`, {
      hint: `'convoy create ${newName}' takes it back, 'convoy delete --detached ${newName}' deletes it for good.`,
    });
  }
  const snapshots = await allSnapshots(share.state);
  const left = await snapshots?.stat(newName).finally(() => snapshots.close());
  if (left !== undefined) {
    throw new ConvoyError(
      "NAME_TAKEN",
      `Snapshots of an earlier volume ${newName} are still there, so no volume can be renamed to it`,
      {
        hint: `Choose another name; the trees lie below ${share.state.path}/snapshots/${newName}.`,
      },
    );
  }
  if ((await share.base.stat(newName)) !== undefined) {
    throw new ConvoyError("NAME_TAKEN", `${share.base.path}/${newName} exists, so no volume can be renamed to it`, {
      hint: "Move it away, or choose another name.",
    });
  }
}

/** Moves everything, then makes the new record: that is the moment from which the volume has its new name. */
async function carryOut(context: VfsContext, share: OpenShare, intent: Intent, before: VfsRecord): Promise<void> {
  await moveParts(context, share, before, intent.Volume, intent.NewName!);
  const identity = await readIdentity(share.state, intent.Volume, before.CreatedTime);
  if (identity !== undefined) await writeIdentity(share.state, { ...identity, Name: intent.NewName! });
  await context.records.create(share.config, renamedRecord(context, before, intent.NewName!));
  await removeOld(context, share, intent);
}

async function removeOld(context: VfsContext, share: OpenShare, intent: Intent): Promise<void> {
  await context.records.remove(share.config, intent.Volume);
  // The rest of a detaching that died beside its live record.
  await removeDetached(share.state, intent.Volume);
  await removeIdentity(share.state, intent.Volume);
  await context.holders.forget(share.state, intent.Volume);
  await context.intents.end(share.state, intent);
}

/** Settles a rename that failed or died: with its new record there it is finished, without it everything goes back. */
export function settleRename(context: VfsContext, share: OpenShare, intent: Intent): Promise<void> {
  return lockedBoth(context, share, intent.Volume, intent.NewName!, () => settleUnderLocks(context, share, intent));
}

async function settleUnderLocks(context: VfsContext, share: OpenShare, intent: Intent): Promise<void> {
  const before = recordOfIntent(intent);
  if (await isRenamed(context, share, intent)) {
    await removeOld(context, share, intent);
    return;
  }
  await moveParts(context, share, before, intent.NewName!, intent.Volume);
  await removeIdentity(share.state, intent.NewName!);
  await context.intents.end(share.state, intent);
}

async function isRenamed(context: VfsContext, share: OpenShare, intent: Intent): Promise<boolean> {
  const renamed = await context.records.read(share.config, intent.NewName!);
  return renamed?.CreatedTime === recordOfIntent(intent).CreatedTime;
}

/** Moves data, snapshots and their names from one name to the other; what is there already stays. */
async function moveParts(
  context: VfsContext,
  share: OpenShare,
  record: VfsRecord,
  from: string,
  to: string,
): Promise<void> {
  const snapshots = await allSnapshots(share.state);
  if (snapshots !== undefined) await moveOnce(snapshots, from, to).finally(() => snapshots.close());
  for (const snapshot of Object.values(record.Snapshots)) {
    if (snapshotPlace(context, record, snapshot).kind === "archive")
      await moveArchive(context, snapshot.Name, from, to);
    await moveSnapshotName(share.state, snapshot.Name, to);
  }
  await moveOnce(share.base, from, to);
}

function renamedRecord(context: VfsContext, before: VfsRecord, newName: string): VfsRecord {
  const snapshots = Object.values(before.Snapshots).map((snapshot) => {
    const place = snapshotPlace(context, before, snapshot);
    const filePath =
      place.kind === "tree"
        ? treeFilePath(context.config.path, newName, snapshot.Name)
        : `${archiveDirectory(context)}/${archiveName(newName, snapshot.Name)}`;
    return { ...snapshot, VolumeUUID: newName, FilePath: filePath };
  });
  return {
    ...before,
    Name: newName,
    Path: `${context.config.path}/${newName}`,
    MountPoint: "",
    Snapshots: Object.fromEntries(snapshots.map((snapshot) => [snapshot.Name, snapshot])),
  };
}

async function moveOnce(dir: Dir, name: string, newName: string): Promise<void> {
  if ((await dir.stat(name)) === undefined) return;
  try {
    sys.renameat(dir.fd, name, dir.fd, newName, true);
  } catch (error) {
    // A file system without RENAME_NOREPLACE: a directory replaces at most an empty one.
    if (errnoOf(error) !== "EINVAL") throw error;
    await dir.rename(name, dir, newName);
  }
  await dir.sync();
}

async function moveArchive(context: VfsContext, snapshot: string, name: string, newName: string): Promise<void> {
  const directory = archiveDirectory(context);
  const from = `${directory}/${archiveName(name, snapshot)}`;
  try {
    // Linked, not renamed: that never replaces another archive.
    await link(from, `${directory}/${archiveName(newName, snapshot)}`);
    await unlink(from);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  const dir = await Dir.open(directory);
  await dir.sync().finally(() => dir.close());
}
