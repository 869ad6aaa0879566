import { rename as renameFile } from "node:fs/promises";
import { ConvoyError, errnoOf } from "../../errors.ts";
import { Dir } from "../../host/dir.ts";
import { readDetached } from "../records/detached.ts";
import { readIdentity, removeIdentity, writeIdentity } from "../records/identities.ts";
import type { Intent } from "../records/intents.ts";
import { volumeExists } from "../records/record-files.ts";
import { moveSnapshotName } from "../records/snapshot-names.ts";
import { names, recordOfIntent, refuseIntents, requireRecord, type VfsContext } from "./context.ts";
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
      await refuseIntents(
        context,
        share,
        `Renaming volume ${name}`,
        (open) => names(open, name) || names(open, newName),
      );
      await refuseMountsBelow(context, name);
      if ((await context.share.mountsOf(name)).at.length > 0) {
        throw new ConvoyError("VOLUME_BUSY", `The directory of volume ${name} is a mount point and cannot be renamed`);
      }
      for (const snapshot of Object.values(record.Snapshots)) {
        const place = snapshotPlace(context, record, snapshot);
        if (place.kind === "archive") await requireArchive(place.file, snapshot);
      }
      const intent = await context.intents.begin(share.state, {
        Operation: "rename",
        Volume: name,
        NewName: newName,
        Details: { Record: record },
      });
      await finishRename(context, share, intent);
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
  if ((await share.base.stat(newName)) !== undefined) {
    throw new ConvoyError("NAME_TAKEN", `${share.base.path}/${newName} exists, so no volume can be renamed to it`, {
      hint: "Move it away, or choose another name.",
    });
  }
}

/** Carries out a `rename` intent; every step may be repeated, so recovery takes the same way. */
export async function finishRename(context: VfsContext, share: OpenShare, intent: Intent): Promise<void> {
  const before = recordOfIntent(intent);
  const { Volume: name } = intent;
  const newName = intent.NewName!;
  const after = renamedRecord(context, before, newName);

  const snapshots = await allSnapshots(share.state);
  if (snapshots !== undefined) await moveOnce(snapshots, name, newName).finally(() => snapshots.close());
  for (const snapshot of Object.keys(before.Snapshots)) {
    await moveArchive(context, snapshot, name, newName);
    await moveSnapshotName(share.state, snapshot, newName);
  }
  await moveOnce(share.base, name, newName);
  const identity = await readIdentity(share.state, name, before.CreatedTime);
  if (identity !== undefined) await writeIdentity(share.state, { ...identity, Name: newName });
  if ((await share.config.stat(context.records.fileName(newName))) === undefined) {
    await context.records.create(share.config, after);
  }
  await context.records.remove(share.config, name);
  await removeIdentity(share.state, name);
  await context.holders.forget(share.state, name);
  await context.intents.end(share.state, intent);
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
  await dir.rename(name, dir, newName);
}

async function moveArchive(context: VfsContext, snapshot: string, name: string, newName: string): Promise<void> {
  const directory = archiveDirectory(context);
  try {
    await renameFile(`${directory}/${archiveName(name, snapshot)}`, `${directory}/${archiveName(newName, snapshot)}`);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  const dir = await Dir.open(directory);
  await dir.sync().finally(() => dir.close());
}
