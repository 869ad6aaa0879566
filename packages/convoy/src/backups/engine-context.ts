import type { Logger } from "../host/log.ts";
import type { Store } from "../stores/store.ts";
import type { CfgCache } from "./cfg-cache.ts";
import type { StoreLocks } from "./locks.ts";
import type { TaskQueue } from "./task-queue.ts";

/** Opens the store that a URL names; the caller closes it. Texts of the errors are those of v0.5.2. */
export type OpenStore = (url: string, endpoint: string) => Promise<Store>;

/** What the engine's operations share. */
export interface EngineContext {
  readonly openStore: OpenStore;
  readonly locks: StoreLocks;
  readonly queue: TaskQueue;
  readonly cache: CfgCache;
  readonly log: Logger;
  /** Directories below which no store may lie: those of volumes and snapshots (R26). */
  readonly protectedDirectories: () => Promise<readonly string[]>;
}

/** Opens a store, works with it and closes it whatever happens. */
export async function withStore<T>(
  engine: EngineContext,
  place: { url: string; endpoint: string },
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await engine.openStore(place.url, place.endpoint);
  try {
    return await work(store);
  } finally {
    await store.close().catch((err: unknown) => engine.log.warn({ err }, "a store could not be closed"));
  }
}

/** Key of the queue that keeps one volume's changes in one store apart. */
export function queueKey(store: Store, volume: string): string {
  return `${store.identity}\n${volume}`;
}
