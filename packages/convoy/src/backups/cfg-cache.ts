import type { ObjectInfo, Store } from "../stores/store.ts";
import type { BackupCfg } from "./format/backup-cfg.ts";

const CAPACITY = 50_000;

/** A cfg without its block list, which may be large. */
export type CfgHead = Omit<BackupCfg, "blocks"> & { hasBlocks: boolean };

/**
 * Remembers what backup cfgs say, so that a listing reads each only once (R26). A cfg never changes: an object of
 * another size or time is another cfg. Lost with the process, and rebuilt by the next listing.
 */
export class CfgCache {
  readonly #heads = new Map<string, CfgHead>();

  get(store: Store, info: ObjectInfo): CfgHead | undefined {
    return this.#heads.get(cacheKey(store, info));
  }

  set(store: Store, info: ObjectInfo, head: CfgHead): void {
    if (this.#heads.size >= CAPACITY) this.#heads.delete(this.#heads.keys().next().value!);
    this.#heads.set(cacheKey(store, info), head);
  }
}

function cacheKey(store: Store, { key, size, modified }: ObjectInfo): string {
  return `${store.identity}\n${key}\n${size}\n${modified.getTime()}`;
}
