import { mkdir, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { ConvoyError, errnoOf } from "../../errors.ts";
import { Dir } from "../../host/dir.ts";
import { verifyMarker } from "../../host/marker.ts";
import { hasLocalLocksOnly, type Mount, mountOf, mountsWithin, readMounts } from "../../host/mountinfo.ts";
import type { MarkerMemory } from "../../host/root.ts";
import type { VfsConfig } from "./config.ts";
import { KeptShare } from "./kept-share.ts";

/** The tree of volumes, held open for one operation: everything the operation does goes through these handles (R11). */
export interface OpenShare {
  /** `vfs.path`: the volumes' directories. */
  base: Dir;
  /** `config/`: the records of v0.5.2's format. */
  config: Dir;
  /** `config/.convoy/`: everything of ours. */
  state: Dir;
}

export interface ShareOptions {
  memory: MarkerMemory;
  initStore: boolean;
  singleHost: boolean;
}

/** Names of ours below `config/`; the leading dot keeps them apart from records and volumes (R3). */
export const STATE_DIRECTORY = ".convoy";

export class Share {
  readonly path: string;
  readonly #options: ShareOptions;
  /** What `--init-store` said; it counts for what is there now, not for what may come later (R11). */
  #init: boolean;
  readonly #kept: KeptShare;

  constructor(config: VfsConfig, options: ShareOptions) {
    this.path = config.path;
    this.#options = options;
    this.#init = options.initStore;
    this.#kept = new KeptShare(config.path);
  }

  /** Takes `--init-store` at its word, once, at the start of the daemon. */
  async acknowledge(): Promise<void> {
    if (!this.#init) return;
    try {
      await this.change(async () => undefined);
    } finally {
      this.#init = false;
    }
  }

  /** Makes a missing `vfs.path`; only at the first start of a root. */
  async make(): Promise<void> {
    if ((await mkdir(this.path, { recursive: true, mode: 0o700 })) === undefined) return;
    const parent = await Dir.open(dirname(this.path));
    await parent.sync().finally(() => parent.close());
  }

  /** Opens the tree for a change: the marker is written, the directories of ours are made. */
  async openForChange(): Promise<OpenShare> {
    const base = await this.#openBase();
    try {
      await this.#verify(base, "write");
      const config = await base.sub("config", { create: true });
      try {
        return { base, config, state: await config.sub(STATE_DIRECTORY, { create: true }) };
      } catch (error) {
        await config.close();
        throw error;
      }
    } catch (error) {
      await base.close();
      throw error;
    }
  }

  /** Opens the tree for reading; parts that nobody has made yet are missing. Changes nothing (R8). */
  async openForReading(): Promise<Partial<OpenShare> & { base: Dir }> {
    const base = await this.#openBase();
    try {
      await this.#verify(base, "check");
      const config = await base.trySub("config");
      if (config === undefined) return { base };
      const state = await config.trySub(STATE_DIRECTORY);
      return state === undefined ? { base, config } : { base, config, state };
    } catch (error) {
      await base.close();
      throw error;
    }
  }

  #verify(base: Dir, mode: "write" | "check"): Promise<string | undefined> {
    const { memory } = this.#options;
    return verifyMarker(base, {
      place: this.path,
      directory: ["config", STATE_DIRECTORY],
      memory,
      mode,
      init: this.#init,
      expectedOfOriginal: "config",
      initFlag: "`convoy daemon --init-store`",
    });
  }

  async #openBase(): Promise<Dir> {
    try {
      return await Dir.open(this.path);
    } catch (cause) {
      if (errnoOf(cause) === undefined) throw cause;
      throw new ConvoyError("UNREACHABLE", `vfs.path ${this.path} is unreachable: ${errnoOf(cause)}`, {
        cause,
        hint: "Mount the disk or share that belongs there, or make the directory if it is gone for good.",
      });
    }
  }

  /** Runs `work` on the tree opened for a change and closes it again. */
  async change<T>(work: (share: OpenShare) => Promise<T>): Promise<T> {
    const kept = (await this.#kept.acquire(true)) ?? (await this.#kept.keep(await this.openForChange(), true));
    try {
      return await work(kept.share);
    } finally {
      await this.#kept.release(kept);
    }
  }

  async read<T>(work: (share: Partial<OpenShare> & { base: Dir }) => Promise<T>): Promise<T> {
    const kept = await this.#kept.acquire(false);
    if (kept !== undefined) return work(kept.share).finally(() => this.#kept.release(kept));
    const { base, config, state } = await this.openForReading();
    if (config !== undefined && state !== undefined) {
      const whole = await this.#kept.keep({ base, config, state }, false);
      return work(whole.share).finally(() => this.#kept.release(whole));
    }
    const partial = { base, ...(config === undefined ? {} : { config }) };
    return work(partial).finally(() => closeShare(partial));
  }

  close(): Promise<void> {
    return this.#kept.close();
  }

  /** Refuses what needs locks between hosts where the mount has none (R4). */
  async requireSharedLocks(operation: string): Promise<void> {
    if (this.#options.singleHost) return;
    const mount = mountOf(await realpath(this.path), await readMounts());
    if (mount === undefined || !hasLocalLocksOnly(mount)) return;
    throw new ConvoyError(
      "UNSUPPORTED",
      `${operation} is refused: ${this.path} is mounted with nolock or local_lock, so other hosts cannot be kept out`,
      { hint: "Mount the share with network locks; if no other host uses it, start the daemon with --single-host." },
    );
  }

  /** Mounts at a volume's directory or below it. */
  async mountsOf(name: string): Promise<{ at: Mount[]; below: Mount[] }> {
    const path = `${await realpath(this.path)}/${name}`;
    const mounts = mountsWithin(path, await readMounts());
    return {
      at: mounts.filter((mount) => mount.mountPoint === path),
      below: mounts.filter((mount) => mount.mountPoint !== path),
    };
  }
}

export async function closeShare(share: Partial<OpenShare>): Promise<void> {
  await Promise.all([share.state?.close(), share.config?.close(), share.base?.close()]);
}
