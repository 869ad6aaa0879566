import { setTimeout as sleep } from "node:timers/promises";
import { ConvoyError } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import { newId, type RootIdentity } from "../host/root.ts";
import type { ObjectInfo, Store } from "../stores/store.ts";
import { encodeLock, type ListedLock, type LockPurpose, listLocks, lockKey, readLock } from "./lock-file.ts";
import { cancellation } from "./task-queue.ts";

/** An exclusive lock on the backups of one volume name in one store (R23). */
export interface HeldLock {
  /** @throws STORE_LOCKED if the lock is no longer there: somebody removed it, and may be at work now */
  check(signal: AbortSignal): Promise<void>;
  release(signal: AbortSignal): Promise<void>;
  /** Leaves the lock's object in the store: this root's next operation on the volume cleans up by it. */
  abandon(): void;
}

/** Finishes or undoes what a dead holder's lock says that it was doing. */
export type FinishLeft = (left: LockPurpose, signal: AbortSignal) => Promise<void>;

const ATTEMPTS = 5;
/** Locks that appeared this close together may be of holders that found each other while taking theirs. */
const SIMULTANEOUS_MS = 10_000;

/** Takes and remembers the locks of this process. One per root: the root's own lock proves that there is no other. */
export class StoreLocks {
  readonly #identity: RootIdentity;
  /** Ids of the locks that this process holds or is taking, in any store. */
  readonly #held = new Set<string>();

  constructor(identity: RootIdentity) {
    this.#identity = identity;
  }

  /**
   * Writes an object of its own, then lists: whoever sees another's object draws back, so that of two that come at
   * once never both go on. A lock of this root that this process does not hold was left by a dead one: `finish` gets
   * its purpose, then it is removed.
   * @throws STORE_LOCKED if another root holds the lock
   */
  async acquire(store: Store, purpose: LockPurpose, finish: FinishLeft, context: OperationContext): Promise<HeldLock> {
    const { signal } = context;
    for (let attempt = 1; ; attempt++) {
      const id = newId();
      this.#held.add(id);
      const key = lockKey(purpose.volume, this.#identity.id, id);
      const lock = new StoreLock(store, key, purpose, () => this.#held.delete(id));
      try {
        const mine = await this.#write(store, key, purpose, signal);
        const others = (await listLocks(store, purpose.volume, signal)).filter((other) => other.info.key !== key);
        const living = others.filter((other) => !this.#isLeftover(other));
        if (living.length === 0) {
          for (const left of others) await this.#takeOver(store, purpose.volume, left, finish, context);
          return lock;
        }
        const fresh = living.every(({ info }) => Math.abs(+info.modified - +mine.modified) < SIMULTANEOUS_MS);
        if (!fresh || attempt === ATTEMPTS) throw await lockedBy(store, purpose.volume, living[0]!, signal);
      } catch (error) {
        await releaseAnyhow(lock, context);
        throw error;
      }
      await releaseAnyhow(lock, context);
      await sleep(50 + Math.random() * 200 * attempt, undefined, { signal }).catch(() => {
        throw cancellation(signal);
      });
    }
  }

  /** True if a dead process of this root left a lock of the volume. */
  async hasLeftovers(store: Store, volume: string, signal: AbortSignal): Promise<boolean> {
    return (await listLocks(store, volume, signal)).some((lock) => this.#isLeftover(lock));
  }

  #isLeftover({ root, id }: ListedLock): boolean {
    return root === this.#identity.id && !this.#held.has(id);
  }

  #write(store: Store, key: string, purpose: LockPurpose, signal: AbortSignal): Promise<ObjectInfo> {
    const file = { ...purpose, host: this.#identity.host, since: new Date().toISOString() };
    return store.put(key, encodeLock(file, this.#identity), { signal });
  }

  async #takeOver(
    store: Store,
    volume: string,
    { info }: ListedLock,
    finish: FinishLeft,
    { signal, log }: OperationContext,
  ): Promise<void> {
    const left = await readLock(store, volume, info.key, signal);
    if (left === undefined) return;
    log.info({ volume, backup: left.backup, since: left.since }, `cleaning up after an interrupted ${left.operation}`);
    await finish(left, signal);
    await store.delete(info.key, { signal });
  }
}

class StoreLock implements HeldLock {
  readonly #store: Store;
  readonly #key: string;
  readonly #purpose: LockPurpose;
  readonly #forget: () => void;

  constructor(store: Store, key: string, purpose: LockPurpose, forget: () => void) {
    this.#store = store;
    this.#key = key;
    this.#purpose = purpose;
    this.#forget = forget;
  }

  async check(signal: AbortSignal): Promise<void> {
    if ((await this.#store.stat(this.#key, { signal })) !== undefined) return;
    const { operation, volume } = this.#purpose;
    throw new ConvoyError(
      "STORE_LOCKED",
      `The ${operation} of volume ${volume} has lost its lock in the store: somebody removed ${this.#key}`,
      { hint: "Make sure that no other host works on this volume's backups, then try again." },
    );
  }

  async release(signal: AbortSignal): Promise<void> {
    try {
      await this.#store.delete(this.#key, { signal });
    } finally {
      this.#forget();
    }
  }

  abandon(): void {
    this.#forget();
  }
}

/** Gives a lock back when the outcome is decided already: a failure is only logged, the next use cleans up. */
export async function releaseAnyhow(lock: HeldLock, { log }: OperationContext): Promise<void> {
  try {
    await lock.release(cleanupSignal());
  } catch (err) {
    log.warn({ err }, "a lock could not be removed from the store; this daemon's next use of it will do that");
  }
}

/** For what must be done after a failure or a cancellation: its own limit instead of the operation's signal. */
export function cleanupSignal(): AbortSignal {
  return AbortSignal.timeout(120_000);
}

async function lockedBy(store: Store, volume: string, lock: ListedLock, signal: AbortSignal): Promise<ConvoyError> {
  const { key } = lock.info;
  // Whatever the lock says of itself, it counts: one that cannot be read is somebody's all the same.
  const file = await readLock(store, volume, key, signal).catch(() => undefined);
  const who = file === undefined ? "" : ` by host ${file.host} (${file.operation} of ${file.backup})`;
  const since = file?.since ?? lock.info.modified.toISOString();
  return new ConvoyError(
    "STORE_LOCKED",
    `The backups of volume ${volume} in this store are locked${who} since ${since}`,
    {
      hint: `Wait until it is done. If that host will never come back, remove the object ${key} from the store.`,
    },
  );
}
