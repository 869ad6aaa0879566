import { realpath } from "node:fs/promises";
import { isConvoyError } from "../../errors.ts";
import type { Logger } from "../../host/log.ts";
import { isWithin } from "../../host/mountinfo.ts";
import type { OperationContext } from "../../host/operation.ts";
import type { RootState } from "../../host/root.ts";
import type { Driver, DriverAbilities, VolumeState } from "../driver.ts";
import { listDetachedNames } from "../records/detached.ts";
import { Holders } from "../records/holders.ts";
import { readIdentity } from "../records/identities.ts";
import { Intents } from "../records/intents.ts";
import { RecordFiles } from "../records/record-files.ts";
import { loadConfig, saveConfig } from "./config.ts";
import type { VfsContext } from "./context.ts";
import { createVolume, STORE_DIRECTORY } from "./create.ts";
import { deleteDetachedVolume, deleteVolume, listDetachedVolumes } from "./delete.ts";
import { mountVolume, recordMountPoint, umountVolume } from "./mount.ts";
import { checkRecord, type VfsRecord } from "./record.ts";
import { recoverVolumes } from "./recover.ts";
import { renameVolume } from "./rename.ts";
import { explainFull, withReserve } from "./reserve.ts";
import { Settler } from "./settler.ts";
import { Share } from "./share.ts";
import { createSnapshot, deleteSnapshot, openSnapshotSource } from "./snapshots.ts";
import { toProblemState, toVolumeState } from "./state.ts";

export interface VfsOptions {
  root: RootState;
  /** Driver options of the command line. */
  options: ReadonlyMap<string, string>;
  initStore: boolean;
  singleHost: boolean;
  log: Logger;
}

const ABILITIES: DriverAbilities = {
  snapshots: true,
  backups: "source",
  size: false,
  vm: true,
  mountPoint: false,
  referenceRemoval: true,
  rename: true,
  revert: false,
  cloneSnapshot: false,
  id: false,
  type: false,
  iops: false,
  owner: true,
  dockerRemove: "detach",
};

/** Volumes are directories of any mounted file system, NFS included; several hosts may share the tree. */
export async function openVfsDriver(options: VfsOptions): Promise<Driver> {
  const config = await loadConfig(options.root.dir, options.options);
  const share = new Share(config, {
    memory: options.root,
    initStore: options.initStore,
    singleHost: options.singleHost,
  });
  const context: VfsContext = {
    config,
    share,
    records: new RecordFiles<VfsRecord>("vfs", checkRecord),
    holders: new Holders(options.root),
    intents: new Intents(options.root),
    log: options.log,
    takenOver: options.root.takenOver,
    settleSoon: () => settler.soon(),
  };
  const settler = new Settler(() => recoverVolumes(context, backgroundOperation(options.log)));
  return new VfsDriver(context, options.root, settler);
}

function backgroundOperation(log: Logger): OperationContext {
  return { signal: new AbortController().signal, log, progress: () => undefined };
}

class VfsDriver implements Driver {
  readonly name = "vfs";
  readonly abilities = ABILITIES;
  readonly #context: VfsContext;
  readonly #root: RootState;
  readonly #settler: Settler;
  /** The last listing that could be read: what is shown of a share that is not there. */
  #lastKnown: VolumeState[] = [];

  constructor(context: VfsContext, root: RootState, settler: Settler) {
    this.#context = context;
    this.#root = root;
    this.#settler = settler;
  }

  async commit(): Promise<void> {
    const { config, share } = this.#context;
    if (!config.isNew) return;
    await share.make();
    await saveConfig(this.#root.dir, config);
  }

  get ignoredOptions(): string[] {
    return this.#context.config.ignoredOptions;
  }

  async info(): Promise<Record<string, string>> {
    const { config } = this.#context;
    return { DefaultVolumeSize: String(config.defaultVolumeSize), Path: config.path, Root: config.directory };
  }

  async list(): Promise<VolumeState[]> {
    const context = this.#context;
    try {
      this.#lastKnown = await context.share.read(async ({ config }) => {
        if (config === undefined) return [];
        return (await context.records.list(config)).map((listed) =>
          "record" in listed
            ? toVolumeState(context, listed.record)
            : toProblemState(listed.name, listed.problem.message),
        );
      });
      return this.#lastKnown;
    } catch (error) {
      if (!isConvoyError(error, "UNREACHABLE", "MARKER_MISMATCH") || this.#lastKnown.length === 0) throw error;
      return this.#lastKnown.map((state) => ({ ...state, problem: error.message }));
    }
  }

  has(name: string): Promise<boolean> {
    const file = this.#context.records.fileName(name);
    return this.#context.share.read(async ({ config }) => (await config?.stat(file)) !== undefined);
  }

  async get(name: string): Promise<VolumeState | undefined> {
    const context = this.#context;
    const found = await context.share.read(async ({ config, state }) => {
      const record = config === undefined ? undefined : await context.records.read(config, name);
      if (record === undefined) return undefined;
      if (state === undefined) return { record, identity: undefined, holders: [] };
      const [identity, holders] = await Promise.all([
        readIdentity(state, name, record.CreatedTime),
        context.holders.list(state, name),
      ]);
      return { record, identity, holders };
    });
    if (found === undefined) return undefined;
    const { identity, holders } = found;
    // An original that shares the tree clears the field although others hold the mount.
    const record = holders.length > 0 && found.record.MountPoint === "" ? await this.#correct(name) : found.record;
    return record === undefined ? undefined : toVolumeState(context, record, { identity, holders });
  }

  #correct(name: string): Promise<VfsRecord | undefined> {
    const context = this.#context;
    return context.share.change((share) =>
      context.records.locked(share.config, name, async () => {
        const record = await context.records.read(share.config, name);
        if (record === undefined) return undefined;
        return recordMountPoint(context, share.config, record, await context.holders.list(share.state, name));
      }),
    );
  }

  create(...[spec, op]: Parameters<Driver["create"]>): Promise<VolumeState> {
    return explainFull(this.#context, () => createVolume(this.#context, spec, op));
  }

  delete(name: string, options: { reference: boolean }, op: OperationContext): Promise<void> {
    return withReserve(this.#context, () => deleteVolume(this.#context, name, options, op));
  }

  listDetached() {
    return listDetachedVolumes(this.#context);
  }

  deleteDetached(name: string, op: OperationContext): Promise<void> {
    return withReserve(this.#context, () => deleteDetachedVolume(this.#context, name, op));
  }

  rename(name: string, newName: string): Promise<void> {
    return withReserve(this.#context, () => renameVolume(this.#context, name, newName));
  }

  mount(...[name, request]: Parameters<Driver["mount"]>): Promise<string> {
    return withReserve(this.#context, () => mountVolume(this.#context, name, request));
  }

  umount(...[name, request]: Parameters<Driver["umount"]>) {
    return withReserve(this.#context, () => umountVolume(this.#context, name, request));
  }

  async findSnapshot(snapshot: string): Promise<string[]> {
    const context = this.#context;
    return context.share.read(async ({ config }) => {
      if (config === undefined) return [];
      return (await context.records.list(config)).flatMap((listed) =>
        "record" in listed && Object.hasOwn(listed.record.Snapshots, snapshot) ? [listed.name] : [],
      );
    });
  }

  createSnapshot(volume: string, snapshot: string, op: OperationContext) {
    return explainFull(this.#context, () => createSnapshot(this.#context, volume, snapshot, op));
  }

  deleteSnapshot(volume: string, snapshot: string, op: OperationContext): Promise<void> {
    return withReserve(this.#context, () => deleteSnapshot(this.#context, volume, snapshot, op));
  }

  openSource(volume: string, snapshot: string) {
    return openSnapshotSource(this.#context, volume, snapshot);
  }

  async claims(path: string): Promise<string | undefined> {
    const context = this.#context;
    const top = await realpath(context.config.path);
    if (!isWithin(path, top)) return undefined;
    // A store directly in the tree would share its directory with a volume of that name.
    const name = path === top ? STORE_DIRECTORY : path.slice(top.length + 1).split("/")[0]!;
    if (name === "config") return `the records and snapshots of ${top}`;
    return context.share.read(async ({ config, state }) => {
      if ((await config?.stat(context.records.fileName(name))) !== undefined) return `volume ${name}`;
      const detached = state === undefined ? [] : await listDetachedNames(state);
      return detached.includes(name) ? `the detached volume ${name}` : undefined;
    });
  }

  async recover(op: OperationContext): Promise<void> {
    let clean = false;
    try {
      clean = await recoverVolumes(this.#context, op);
    } finally {
      // A share that is not there now, or an intent that could not be settled, is looked at again.
      if (!clean) this.#settler.soon();
    }
  }

  async close(): Promise<void> {
    this.#settler.stop();
    await this.#context.share.close();
  }
}
