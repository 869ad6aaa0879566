import { ConvoyError, isConvoyError, messageOf } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import type { ObjectInfo, Store } from "../stores/store.ts";
import type { CfgCache, CfgHead } from "./cfg-cache.ts";
import { checkKind, notInStore, readBackupCfg, readVolumeCfg } from "./cfg-store.ts";
import type { BackupPlace, BackupSummary } from "./engine.ts";
import { type EngineContext, withStore } from "./engine-context.ts";
import { archiveDirectory, archiveKey, backupOfCfgKey, isStoredName, volumeCfgKey } from "./format/layout.ts";
import { summarise, unusable } from "./format/summary.ts";
import type { VolumeCfg } from "./format/volume-cfg.ts";
import { mapLimited } from "./map-limited.ts";
import { Semaphore } from "./semaphore.ts";
import { listBackupCfgs } from "./volume-claim.ts";
import { listVolumes } from "./volume-listing.ts";

/** Objects that one listing reads at a time, and volumes that it looks into. */
const PARALLEL = 8;
/** Cfgs of more bytes (block lists of big volumes) are in memory one at a time (R26). */
const LARGE_CFG = 1024 * 1024;

/**
 * Lists the backups of a store. What cannot be used is listed with its `problem`; only a store that does not answer,
 * and a volume that was asked for and is not there, are errors.
 */
export async function listBackups(
  engine: EngineContext,
  request: BackupPlace & { volume: string; snapshot: string },
  context: OperationContext,
): Promise<BackupSummary[]> {
  if (request.volume !== "" && !isStoredName(request.volume)) {
    throw new ConvoyError("INVALID_NAME", `Invalid volume name ${JSON.stringify(request.volume)}`, {
      hint: "Give the name of a volume as `convoy backup list <destination>` shows it.",
    });
  }
  return await withStore(engine, request, async (store) => {
    context.progress({ phase: "listing" });
    const listing = new Listing(store, engine.cache, context);
    const volumes = request.volume === "" ? await listVolumes(store, context) : [request.volume];
    const lists = await mapLimited(volumes, PARALLEL, (volume) => listing.volume(volume, request.volume !== ""));
    return lists
      .flat()
      .filter((summary) => request.snapshot === "" || summary.snapshotName === request.snapshot)
      .sort((a, b) => (a.url < b.url ? -1 : 1));
  });
}

class Listing {
  readonly #store: Store;
  readonly #cache: CfgCache;
  readonly #context: OperationContext;
  readonly #reads = new Semaphore(PARALLEL);
  readonly #largeReads = new Semaphore(1);

  constructor(store: Store, cache: CfgCache, context: OperationContext) {
    this.#store = store;
    this.#cache = cache;
    this.#context = context;
  }

  /** @param mustExist whether a volume that is not there is an error */
  async volume(volume: string, mustExist: boolean): Promise<BackupSummary[]> {
    const { signal } = this.#context;
    const cfg = await this.#volumeCfg(volume);
    if (cfg === undefined && mustExist) throw notInStore(volumeCfgKey(volume));
    const cfgs = await listBackupCfgs(this.#store, volume, signal);
    if (cfg === undefined || cfg instanceof ConvoyError) {
      const problem = cfg?.message ?? `cannot find ${volumeCfgKey(volume)} in objectstore`;
      return cfgs.map(({ key }) => unusable(this.#store.url, volume, backupOfCfgKey(volume, key)!, problem));
    }
    const archives = cfg.driver === "vfs" && cfgs.length > 0 ? await this.#archives(volume) : undefined;
    const summaries = await mapLimited(cfgs, PARALLEL, (info) => this.#backup(cfg, info, archives));
    return summaries.filter((summary) => summary !== undefined);
  }

  async #volumeCfg(volume: string): Promise<VolumeCfg | ConvoyError | undefined> {
    try {
      return await readVolumeCfg(this.#store, volume, this.#context.signal);
    } catch (error) {
      return onlyThisObject(error);
    }
  }

  /** Sizes of the volume's archives: a cfg without its archive (v0.5.2 wrote such, D4) is no backup. */
  async #archives(volume: string): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    const objects = this.#store.list(archiveDirectory(volume), { signal: this.#context.signal });
    for await (const { key, size } of objects) sizes.set(key, size);
    return sizes;
  }

  /** @returns undefined if the backup was deleted meanwhile */
  async #backup(
    volumeCfg: VolumeCfg,
    info: ObjectInfo,
    archives: Map<string, number> | undefined,
  ): Promise<BackupSummary | undefined> {
    const volume = volumeCfg.name;
    const backup = backupOfCfgKey(volume, info.key)!;
    try {
      const head = this.#cache.get(this.#store, info) ?? (await this.#read(volumeCfg, info, backup));
      if (head === undefined) return undefined;
      const summary = summarise(this.#store.url, volumeCfg, head);
      const problem = archives && archiveProblem(head, archives.get(archiveKey(volume, backup)));
      if (problem === undefined) return summary;
      // A deletion between the two listings looks the same; then the cfg is gone as well.
      const cfg = await this.#store.stat(info.key, { signal: this.#context.signal });
      return cfg === undefined ? undefined : { ...summary, problem };
    } catch (error) {
      const { message } = onlyThisObject(error);
      return unusable(this.#store.url, volume, backup, message, volumeCfg);
    }
  }

  async #read(volumeCfg: VolumeCfg, info: ObjectInfo, backup: string): Promise<CfgHead | undefined> {
    const read = async (): Promise<CfgHead | undefined> => {
      const cfg = await readBackupCfg(this.#store, volumeCfg.name, backup, this.#context.signal);
      if (cfg === undefined) return undefined;
      checkKind(volumeCfg, cfg);
      const { blocks, ...rest } = cfg;
      return { ...rest, hasBlocks: blocks !== undefined };
    };
    const head = await (info.size > LARGE_CFG ? this.#largeReads : this.#reads).run(read);
    if (head !== undefined) this.#cache.set(this.#store, info, head);
    return head;
  }
}

/** Why a single-file backup's archive, of which the store says this size, cannot be what was backed up. */
export function archiveProblem(
  cfg: Pick<CfgHead, "name" | "volumeName" | "archiveSize">,
  size: number | undefined,
): string | undefined {
  const key = archiveKey(cfg.volumeName, cfg.name);
  if (size === undefined) return `its archive ${key} is missing`;
  if (cfg.archiveSize !== undefined && cfg.archiveSize !== size) {
    return `its archive ${key} has ${size} bytes instead of ${cfg.archiveSize}`;
  }
  return size === 0 ? `its archive ${key} is empty` : undefined;
}

/** Passes on what concerns the whole store or operation; what concerns one object becomes that one's problem. */
function onlyThisObject(error: unknown): ConvoyError {
  if (isConvoyError(error, "BACKUP_DAMAGED", "FORGED", "STORE_FAILED")) return error;
  if (error instanceof ConvoyError) throw error;
  throw new ConvoyError("INTERNAL", messageOf(error), { cause: error });
}
