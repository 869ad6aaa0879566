import { ConvoyError } from "../../errors.ts";
import type { Logger } from "../../host/log.ts";
import type { Holders } from "../records/holders.ts";
import { describeIntent, type Intent, type Intents } from "../records/intents.ts";
import type { RecordFiles } from "../records/record-files.ts";
import type { VfsConfig } from "./config.ts";
import { checkRecord, type VfsRecord } from "./record.ts";
import type { OpenShare, Share } from "./share.ts";

/** What the driver's operations share. */
export interface VfsContext {
  config: VfsConfig;
  share: Share;
  records: RecordFiles<VfsRecord>;
  holders: Holders;
  intents: Intents;
  log: Logger;
  /** True if this root's state was begun by v0.5.2, whose mounts have no holders. */
  takenOver: boolean;
  /** Has intents settled whose operations failed in the middle; comes back at once. */
  settleSoon(): void;
}

/** For clean-up of something that has failed already: a second failure is logged, and a later settling tries again. */
export async function orSettleSoon(context: VfsContext, intent: Intent, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    context.log.error(
      { err: error, volume: intent.Volume },
      `leftovers of a failed ${intent.Operation} are removed later`,
    );
    context.intents.abandon(intent);
    context.settleSoon();
  }
}

export function volumeNotFound(): ConvoyError {
  return new ConvoyError("VOLUME_NOT_FOUND", "Volume not found.", {
    hint: "'convoy list' shows the volumes there are.",
  });
}

/** Reads a record or throws VOLUME_NOT_FOUND. */
export async function requireRecord(context: VfsContext, share: Partial<OpenShare>, name: string): Promise<VfsRecord> {
  const record = share.config === undefined ? undefined : await context.records.read(share.config, name);
  if (record === undefined) throw volumeNotFound();
  return record;
}

/** The record that an intent carries; it lies in a shared place, so it is checked like any record (R31). */
export function recordOfIntent(intent: Intent): VfsRecord {
  const record = intent.Details?.["Record"] as VfsRecord | undefined;
  const wrong = record === undefined ? "it has no record" : checkRecord(record);
  if (wrong === undefined && record!.Name === intent.Volume) return record!;
  throw new ConvoyError(
    "FORGED",
    `The intent ${intent.ID} (${describeIntent(intent)}) is refused: ${wrong ?? "its record is of another volume"}`,
  );
}

/** Throws VOLUME_BUSY if an open intent, of whatever host, satisfies `concerns`. */
export async function refuseIntents(
  context: VfsContext,
  share: OpenShare,
  what: string,
  concerns: (intent: Intent) => boolean,
): Promise<void> {
  const intent = (await context.intents.list(share.state)).find(concerns);
  if (intent !== undefined) throw busy(context, what, intent);
}

/**
 * Begins an intent unless another open one satisfies `concerns`. The own one is written first: making a file is what
 * lets an NFS client see what other hosts have made, and of two hosts at least one sees the other.
 */
export async function beginIntent(
  context: VfsContext,
  share: OpenShare,
  what: string,
  fields: Parameters<Intents["begin"]>[1],
  concerns: (intent: Intent) => boolean,
): Promise<Intent> {
  const intent = await context.intents.begin(share.state, fields);
  try {
    const rival = (await context.intents.list(share.state)).find((open) => open.ID !== intent.ID && concerns(open));
    if (rival !== undefined) throw busy(context, what, rival);
  } catch (error) {
    await context.intents.end(share.state, intent);
    throw error;
  }
  return intent;
}

function busy(context: VfsContext, what: string, intent: Intent): ConvoyError {
  if (context.intents.isLeft(intent)) context.settleSoon();
  return new ConvoyError(
    "VOLUME_BUSY",
    `${what} is refused while another operation is open: ${describeIntent(intent)}`,
    {
      hint: context.intents.isOwn(intent)
        ? "Try again in a moment."
        : `Try again when it has ended; if host ${intent.Host} died in it, start its daemon once so that it cleans up.`,
    },
  );
}

/** True if the intent takes the volume's name. */
export function names(intent: Intent, volume: string): boolean {
  return intent.Volume === volume || intent.NewName === volume;
}

/**
 * Runs `work` with the record, while nobody else changes it. A volume that is not there gets no lock file: lock files
 * are never removed (R4), so they are made for real names only.
 */
export async function withRecord<T>(
  context: VfsContext,
  share: OpenShare,
  name: string,
  work: (record: VfsRecord) => Promise<T>,
): Promise<T> {
  if ((await share.config.stat(context.records.fileName(name))) === undefined) throw volumeNotFound();
  return context.records.locked(share.config, name, async () => work(await requireRecord(context, share, name)));
}
