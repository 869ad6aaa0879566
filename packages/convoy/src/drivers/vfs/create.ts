import { chmod, chown } from "node:fs/promises";
import { ConvoyError, errnoOf } from "../../errors.ts";
import type { Dir } from "../../host/dir.ts";
import type { OperationContext } from "../../host/operation.ts";
import * as sys from "../../host/sys.ts";
import { formatTime } from "../../host/time.ts";
import { removeTree } from "../../host/tree/remove.ts";
import type { CreateSpec, VolumeState } from "../driver.ts";
import { readDetached, removeDetached } from "../records/detached.ts";
import { newIdentity, readIdentity, writeIdentity } from "../records/identities.ts";
import { describeIntent, type Intent } from "../records/intents.ts";
import { volumeExists } from "../records/record-files.ts";
import { names, orSettleSoon, refuseIntents, type VfsContext } from "./context.ts";
import { checkRecord, newRecord, type VfsRecord } from "./record.ts";
import { keepReserve } from "./reserve.ts";
import type { OpenShare } from "./share.ts";
import { toVolumeState } from "./state.ts";

/** Details of a `create` intent: what an undoing needs to know. */
export interface CreateDetails {
  Record: VfsRecord;
  Ancestor: string;
  /** The directory was there before: an undoing leaves it alone. */
  Adopts: boolean;
  /** Inode of the restored directory, known before it is renamed into place; so that only this one is taken back. */
  Inode?: string;
}

/** What a store of backups holds (docs/backup-format.md). */
export const STORE_DIRECTORY = "convoy-objectstore";

/** Below `state`: directories that are being filled, one per intent. */
export const NEW_DIRECTORY = "new";

/**
 * Creates a volume: takes back a detached one of the name (R6), adopts an existing directory (R7), or makes a new one
 * beside the tree and renames it into place when it is complete (R13).
 */
export async function createVolume(context: VfsContext, spec: CreateSpec, op: OperationContext): Promise<VolumeState> {
  return context.share.change(async (share) => {
    await keepReserve(share);
    const begun = await context.records.locked(share.config, spec.name, () => begin(context, share, spec));
    if ("taken" in begun) return begun.taken;
    const { intent, details } = begun;
    try {
      if (!details.Adopts) {
        const inode = await makeDirectory(context, share, intent, spec, op);
        if (spec.restore !== undefined) await context.intents.amend(share.state, intent, { Inode: inode });
      }
      const state = await context.records.locked(share.config, spec.name, () =>
        publish(context, share, intent, details),
      );
      return details.Adopts && hasOwner(spec) ? { ...state, warnings: [ADOPTED_OWNER] } : state;
    } catch (error) {
      await orSettleSoon(context, intent, () => settleCreate(context, share, intent, op));
      throw error;
    }
  });
}

const ADOPTED_OWNER = "uid, gid and mode have no effect: the directory was there before and keeps its owner and mode";
const TAKEN_BACK = "the volume of this name that was removed reference-only is back, with its data and snapshots";

type Begun = { taken: VolumeState } | { intent: Intent; details: CreateDetails };

/** Under the record's lock: decides what the create means and reserves the name. */
async function begin(context: VfsContext, share: OpenShare, spec: CreateSpec): Promise<Begun> {
  const { name } = spec;
  if ((await share.config.stat(context.records.fileName(name))) !== undefined) throw volumeExists(name);
  // Of simultaneous creates one wins; for the rest the volume exists already (R13). The record's lock keeps two hosts
  // from looking at once.
  const open = await context.intents.list(share.state);
  const rival = open.find((intent) => intent.Operation === "create" && intent.Volume === name);
  if (rival !== undefined) {
    const { code, message } = volumeExists(name);
    throw new ConvoyError(code, message, {
      hint: `It is being made: ${describeIntent(rival)}. If that daemon died in it, starting it once cleans up.`,
    });
  }
  await refuseIntents(context, share, `Creating volume ${name}`, (intent) => names(intent, name));
  const detached = await readDetached<VfsRecord>(share.state, name, checkRecord);
  if (detached !== undefined) return { taken: await takeBack(context, share, spec, detached.Record) };

  const adopts = await existingDirectory(share.base, spec);
  const record = newRecord(name, `${context.config.path}/${name}`, formatTime(new Date()));
  if (spec.vm) {
    record.PrepareForVM = true;
    record.Size = spec.size === 0 ? context.config.defaultVolumeSize : spec.size;
  }
  const details: CreateDetails = { Record: record, Ancestor: spec.restore?.ancestorId ?? "", Adopts: adopts };
  const intent = await context.intents.begin(share.state, {
    Operation: "create",
    Volume: name,
    Details: { ...details },
  });
  return { intent, details };
}

async function takeBack(
  context: VfsContext,
  share: OpenShare,
  spec: CreateSpec,
  record: VfsRecord,
): Promise<VolumeState> {
  const otherImage = spec.vm && (!record.PrepareForVM || (spec.size !== 0 && spec.size !== record.Size));
  if (spec.restore !== undefined || otherImage) {
    throw new ConvoyError("NAME_TAKEN", `The name ${spec.name} is taken by a volume that was removed reference-only`, {
      hint: `'convoy create ${spec.name}' without other options takes it back, 'convoy delete --detached ${spec.name}' deletes it for good; or choose another name.`,
    });
  }
  if (!(await share.base.stat(spec.name))?.isDirectory()) {
    throw new ConvoyError(
      "UNREACHABLE",
      `The directory of the detached volume ${spec.name} is gone: ${share.base.path}/${spec.name}`,
      {
        hint: `Put it back, or end the volume with 'convoy delete --detached ${spec.name}'.`,
      },
    );
  }
  const taken: VfsRecord = { ...record, MountPoint: "" };
  await context.records.create(share.config, taken);
  await removeDetached(share.state, spec.name);
  const identity = await readIdentity(share.state, spec.name, taken.CreatedTime);
  const state = toVolumeState(context, taken, { identity });
  return { ...state, warnings: [TAKEN_BACK, ...(hasOwner(spec) ? [ADOPTED_OWNER] : [])] };
}

function hasOwner(spec: CreateSpec): boolean {
  return Object.keys(spec.owner).length > 0;
}

/** @returns true if a directory of the name is there and may be adopted (R7). */
async function existingDirectory(base: Dir, spec: CreateSpec): Promise<boolean> {
  const { name } = spec;
  const stats = await base.stat(name);
  if (stats === undefined) return false;
  if (!(await base.list()).includes(name)) {
    throw new ConvoyError("NAME_TAKEN", `The name ${name} reaches the directory of another name on this file system`, {
      hint: "The file system does not tell upper from lower case. Choose a name that differs in more than case.",
    });
  }
  if (!stats.isDirectory()) {
    throw new ConvoyError("NAME_TAKEN", `${base.path}/${name} is not a directory, so it cannot become volume ${name}`, {
      hint: "Only a real directory (no link) directly below vfs.path is adopted. Move it away or choose another name.",
    });
  }
  const directory = await base.sub(name);
  const content = await directory.list().finally(() => directory.close());
  if (name === STORE_DIRECTORY || content.includes(STORE_DIRECTORY)) {
    throw new ConvoyError("NAME_TAKEN", `${base.path}/${name} holds backups, so it does not become volume ${name}`, {
      hint: "Deleting such a volume would delete the backups. Choose another name, best move the store out of vfs.path.",
    });
  }
  if (spec.restore === undefined) return true;
  if (content.length === 0) {
    // An empty directory is replaced by the restored one: rename(2) does that in one step.
    return false;
  }
  throw new ConvoyError("NOT_EMPTY", `${base.path}/${name} exists and is not empty, so nothing is restored into it`, {
    hint: "Choose another name for the restored volume; 'convoy rename' can swap it in afterwards.",
  });
}

async function makeDirectory(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  spec: CreateSpec,
  op: OperationContext,
): Promise<string> {
  const parent = await share.state.sub(NEW_DIRECTORY, { create: true });
  try {
    await parent.mkdir(intent.ID, 0o700);
    const directory = await parent.sub(intent.ID);
    try {
      if (spec.restore !== undefined) {
        const target = {
          kind: "tree",
          directory: directory.handlePath,
          reserveBytes: context.config.reserveBytes,
        } as const;
        await spec.restore.fill(target, op);
      }
      await setOwner(directory, spec.owner);
      await directory.sync();
      op.signal.throwIfAborted();
      return String((await directory.statSelf()).ino);
    } finally {
      await directory.close();
    }
  } finally {
    await parent.close();
  }
}

async function setOwner(directory: Dir, owner: CreateSpec["owner"]): Promise<void> {
  const { uid, gid, mode } = owner;
  // chown takes -1 for "as it is".
  if (uid !== undefined || gid !== undefined) await chown(directory.handlePath, uid ?? -1, gid ?? -1);
  // Exactly the asked mode, whatever the umask.
  if (mode !== undefined) await chmod(directory.handlePath, mode);
}

/** Under the record's lock: puts the directory into place and makes the volume visible. */
async function publish(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  details: CreateDetails,
): Promise<VolumeState> {
  const { Record: record } = details;
  if ((await share.config.stat(context.records.fileName(record.Name))) !== undefined) throw volumeExists(record.Name);
  if (!details.Adopts) await moveIntoPlace(share, intent, record.Name);
  const identity = newIdentity(record.Name, record.CreatedTime, details.Ancestor);
  await writeIdentity(share.state, identity);
  const written: VfsRecord = { ...record, VolumeID: identity.ID };
  await context.records.create(share.config, written);
  // The volume is there now; an intent that cannot be removed is settled later.
  await orSettleSoon(context, intent, () => context.intents.end(share.state, intent));
  return toVolumeState(context, written, { identity });
}

async function moveIntoPlace(share: OpenShare, intent: Intent, name: string): Promise<void> {
  const parent = await share.state.sub(NEW_DIRECTORY);
  try {
    // rename(2) of a directory replaces an empty directory only; anything else is ENOTEMPTY or ENOTDIR.
    sys.renameat(parent.fd, intent.ID, share.base.fd, name);
    await share.base.sync();
    await parent.sync();
  } catch (error) {
    if (!["EEXIST", "ENOTEMPTY", "ENOTDIR"].includes(errnoOf(error) ?? "")) throw error;
    throw new ConvoyError("NOT_EMPTY", `${share.base.path}/${name} appeared while the volume was being made`, {
      cause: error,
    });
  } finally {
    await parent.close();
  }
}

/**
 * Settles a creation that failed or died: with its record there it is complete, without it is undone. Takes the
 * record's lock; every step may be repeated.
 */
export async function settleCreate(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  await context.records.locked(share.config, intent.Volume, async () => {
    const exists = (await share.config.stat(context.records.fileName(intent.Volume))) !== undefined;
    if (!exists) await takeOutOfPlace(context, share, intent);
  });
  await removeNew(share, intent, op);
  await context.intents.end(share.state, intent);
}

async function takeOutOfPlace(context: VfsContext, share: OpenShare, intent: Intent): Promise<void> {
  const open = (await context.intents.list(share.state)).find(({ ID }) => ID === intent.ID);
  const details = open?.Details as Partial<CreateDetails> | undefined;
  const stats = await share.base.stat(intent.Volume);
  if (details === undefined || details.Adopts !== false || !stats?.isDirectory()) return;
  if (details.Inode === String(stats.ino)) {
    const parent = await share.state.sub(NEW_DIRECTORY, { create: true });
    await share.base.rename(intent.Volume, parent, intent.ID).finally(() => parent.close());
  } else if (details.Inode === undefined) {
    // A plain new volume is an empty directory; with anything in it, it is not ours any more.
    await share.base.removeDir(intent.Volume).catch((error: unknown) => {
      if (errnoOf(error) !== "ENOTEMPTY") throw error;
    });
  }
}

/** Removes the directory that an intent was filling; idempotent. */
export async function removeNew(share: OpenShare, intent: Intent, op: OperationContext): Promise<void> {
  const parent = await share.state.trySub(NEW_DIRECTORY);
  if (parent === undefined) return;
  try {
    // A cancelled operation cleans up all the same.
    await removeTree(parent, intent.ID, { ...op, signal: new AbortController().signal });
  } finally {
    await parent.close();
  }
}
