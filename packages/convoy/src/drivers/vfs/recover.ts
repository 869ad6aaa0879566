import type { OperationContext } from "../../host/operation.ts";
import { removeTree } from "../../host/tree/remove.ts";
import type { Intent } from "../records/intents.ts";
import { recordOfIntent, type VfsContext } from "./context.ts";
import { type CreateDetails, NEW_DIRECTORY, removeNew, writeCreated } from "./create.ts";
import { finishDelete, TRASH_DIRECTORY } from "./delete.ts";
import { recordMountPoint } from "./mount.ts";
import type { VfsRecord } from "./record.ts";
import { finishRename } from "./rename.ts";
import type { OpenShare } from "./share.ts";
import { finishDeleteSnapshot, undoSnapshot } from "./snapshots.ts";

/**
 * What a start does with the state that an earlier life of this root left (R5, R9): its open intents are finished or
 * undone, its holders renewed. One failure is logged and does not stop the rest. Changes nothing if there is nothing
 * to do (R8).
 */
export async function recoverVolumes(context: VfsContext, op: OperationContext): Promise<void> {
  if (!(await hasWork(context))) return;
  await context.share.change(async (share) => {
    const own = (await context.intents.list(share.state)).filter((intent) => context.intents.isOwn(intent));
    for (const intent of own) {
      await attempt(op, intent.Volume, `open intent: ${intent.Operation}`, () => settle(context, share, intent, op));
    }
    await removeStray(share, own, op);
    await attempt(op, "", "temporary files", () => sweepTemporaries(share));
    await renewHolders(context, share, op);
  });
}

async function hasWork(context: VfsContext): Promise<boolean> {
  return context.share.read(async ({ config, state }) => {
    if (config === undefined) return false;
    if (state !== undefined) return true;
    const records = await context.records.list(config);
    return records.some((listed) => "record" in listed && listed.record.MountPoint !== "");
  });
}

async function attempt(op: OperationContext, volume: string, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    op.log.error({ err: error, volume }, `recovery failed and is tried again at the next start: ${what}`);
  }
}

async function settle(context: VfsContext, share: OpenShare, intent: Intent, op: OperationContext): Promise<void> {
  op.log.info({ volume: intent.Volume, snapshot: intent.Snapshot }, `settling an interrupted ${intent.Operation}`);
  switch (intent.Operation) {
    case "create":
      return settleCreate(context, share, intent, op);
    case "delete":
      return finishDelete(context, share, intent, op);
    case "rename":
      return finishRename(context, share, intent);
    case "snapshot":
      return settleSnapshot(context, share, intent, op);
    case "delete-snapshot":
      return settleDeleteSnapshot(context, share, intent, op);
    case "backup":
      return context.intents.end(share.state, intent);
    default:
      op.log.warn({ volume: intent.Volume }, `an intent of an unknown operation is left alone: ${intent.Operation}`);
  }
}

async function settleCreate(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  const details: CreateDetails = {
    Record: recordOfIntent(intent),
    Ancestor: String(intent.Details?.["Ancestor"] ?? ""),
    Adopts: intent.Details?.["Adopts"] !== false,
  };
  const exists = (await share.config.stat(context.records.fileName(intent.Volume))) !== undefined;
  if (!exists && !details.Adopts && (await isInPlace(share, intent))) {
    // Complete but for its record: the directory was renamed into place as a whole.
    await writeCreated(context, share, intent, details);
    return;
  }
  await removeNew(share, intent, op);
  await context.intents.end(share.state, intent);
}

async function isInPlace(share: OpenShare, intent: Intent): Promise<boolean> {
  if ((await share.base.stat(intent.Volume)) === undefined) return false;
  const parent = await share.state.trySub(NEW_DIRECTORY);
  if (parent === undefined) return false;
  try {
    return (await parent.stat(intent.ID)) === undefined;
  } finally {
    await parent.close();
  }
}

async function recordOf(context: VfsContext, share: OpenShare, intent: Intent): Promise<VfsRecord | undefined> {
  return context.records.read(share.config, intent.Volume);
}

async function settleSnapshot(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  const record = await recordOf(context, share, intent);
  if (record?.Snapshots[intent.Snapshot!] !== undefined) await removeNew(share, intent, op);
  else await undoSnapshot(share, intent, op);
  await context.intents.end(share.state, intent);
}

async function settleDeleteSnapshot(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  const record = await recordOf(context, share, intent);
  // The record still names it: the deletion had not begun.
  if (record?.Snapshots[intent.Snapshot!] !== undefined) await context.intents.end(share.state, intent);
  else await finishDeleteSnapshot(context, share, intent, op);
}

/** Removes what lies in `new` and `trash` under the ids of intents of ours that are settled. */
async function removeStray(share: OpenShare, settled: readonly Intent[], op: OperationContext): Promise<void> {
  for (const directory of [NEW_DIRECTORY, TRASH_DIRECTORY]) {
    const dir = await share.state.trySub(directory);
    if (dir === undefined) continue;
    try {
      for (const intent of settled) {
        await attempt(op, intent.Volume, `leftovers in ${directory}`, () => removeTree(dir, intent.ID, op));
      }
    } finally {
      await dir.close();
    }
  }
}

const DAY_MS = 24 * 60 * 60 * 1000;

async function sweepTemporaries(share: OpenShare): Promise<void> {
  await share.config.sweepTemporaries(DAY_MS);
  for (const name of ["ids", "intents", "names", "detached"]) {
    const dir = await share.state.trySub(name);
    await dir?.sweepTemporaries(DAY_MS).finally(() => dir.close());
  }
}

/** Renews this root's holders after a reboot and gives mounts that v0.5.2 left a holder of their own (R9). */
async function renewHolders(context: VfsContext, share: OpenShare, op: OperationContext): Promise<void> {
  const own = await context.holders.volumesOfRoot(share.state);
  for (const listed of await context.records.list(share.config)) {
    if (!("record" in listed) || (!own.has(listed.name) && listed.record.MountPoint === "")) continue;
    await attempt(op, listed.name, "holders", () => renewVolume(context, share, listed.name));
  }
}

async function renewVolume(context: VfsContext, share: OpenShare, name: string): Promise<void> {
  await context.records.locked(share.config, name, async () => {
    const record = await context.records.read(share.config, name);
    if (record === undefined) return;
    const renewed = await context.holders.renewAfterReboot(share.state, name);
    let holders = await context.holders.list(share.state, name);
    if (holders.length === 0 && record.MountPoint !== "" && !renewed) {
      await context.holders.add(share.state, name, "legacy", "");
      holders = await context.holders.list(share.state, name);
    }
    await recordMountPoint(context, share.config, record, holders);
  });
}
