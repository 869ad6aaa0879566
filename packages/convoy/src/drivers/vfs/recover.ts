import type { OperationContext } from "../../host/operation.ts";
import type { Intent } from "../records/intents.ts";
import type { VfsContext } from "./context.ts";
import { settleCreate } from "./create.ts";
import { finishDelete, settleDelete, sweepDetached } from "./delete.ts";
import { recordMountPoint } from "./mount.ts";
import { settleRename } from "./rename.ts";
import type { OpenShare } from "./share.ts";
import { finishDeleteSnapshot, settleSnapshot } from "./snapshots.ts";

/**
 * What a start does with the state that an earlier life of this root left (R5, R9): its open intents are finished or
 * undone, its holders renewed. One failure is logged and does not stop the rest. Changes nothing if there is nothing
 * to do (R8).
 * @returns false if something could not be done and is to be tried again later.
 */
export async function recoverVolumes(context: VfsContext, op: OperationContext): Promise<boolean> {
  await context.share.acknowledge();
  if (!(await hasWork(context))) return true;
  return context.share.change(async (share) => {
    const settled = await settleLeft(context, share, op);
    await attempt(op, "", "temporary files", () => sweepTemporaries(share));
    await attempt(op, "", "detached volumes", () => sweepDetached(context, share));
    await renewHolders(context, share, op);
    return settled;
  });
}

/** Settles the intents of this root whose operations do not run any more. @returns false if one could not be settled. */
async function settleLeft(context: VfsContext, share: OpenShare, op: OperationContext): Promise<boolean> {
  let settled = true;
  for (const intent of await context.intents.list(share.state)) {
    if (!context.intents.isLeft(intent)) continue;
    const what = `open intent: ${intent.Operation}`;
    settled = (await attempt(op, intent.Volume, what, () => settle(context, share, intent, op))) && settled;
  }
  return settled;
}

async function hasWork(context: VfsContext): Promise<boolean> {
  return context.share.read(async ({ config, state }) => {
    if (config === undefined) return false;
    if (state !== undefined) return true;
    const records = await context.records.list(config);
    return context.takenOver && records.some((listed) => "record" in listed && listed.record.MountPoint !== "");
  });
}

async function attempt(
  op: OperationContext,
  volume: string,
  what: string,
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    op.log.error({ err: error, volume }, `recovery failed and is tried again later: ${what}`);
    return false;
  }
}

async function settle(context: VfsContext, share: OpenShare, intent: Intent, op: OperationContext): Promise<void> {
  op.log.info({ volume: intent.Volume, snapshot: intent.Snapshot }, `settling an interrupted ${intent.Operation}`);
  switch (intent.Operation) {
    case "create":
      return settleCreate(context, share, intent, op);
    case "delete": {
      const begun = await context.records.locked(share.config, intent.Volume, () =>
        settleDelete(context, share, intent),
      );
      return begun ? finishDelete(context, share, intent, op) : undefined;
    }
    case "rename":
      return settleRename(context, share, intent);
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

async function settleDeleteSnapshot(
  context: VfsContext,
  share: OpenShare,
  intent: Intent,
  op: OperationContext,
): Promise<void> {
  const record = await context.records.read(share.config, intent.Volume);
  // The record still names it: the deletion had not begun.
  if (record?.Snapshots[intent.Snapshot!] !== undefined) await context.intents.end(share.state, intent);
  else await finishDeleteSnapshot(context, share, intent, op);
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
    if (!("record" in listed)) continue;
    const legacy = context.takenOver && listed.record.MountPoint !== "";
    if (!own.has(listed.name) && !legacy) continue;
    await attempt(op, listed.name, "holders", () => renewVolume(context, share, listed.name));
  }
}

async function renewVolume(context: VfsContext, share: OpenShare, name: string): Promise<void> {
  await context.records.locked(share.config, name, async () => {
    const record = await context.records.read(share.config, name);
    if (record === undefined) return;
    const before = await context.holders.list(share.state, name);
    const renewed = await context.holders.renewAfterReboot(share.state, name);
    if (before.length === 0 && record.MountPoint !== "" && !renewed) {
      // Only in a root that v0.5.2 began is such a mount this host's; elsewhere it may be any host's of the share.
      if (context.takenOver) await context.holders.add(share.state, name, "legacy", "");
      return;
    }
    await recordMountPoint(context, share.config, record, await context.holders.list(share.state, name));
  });
}
