import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import type { Dir } from "../../host/dir.ts";
import type { Chains } from "./chain.ts";

/**
 * Where objects are written before they are renamed into place: on the store's own file system, outside `volumes/`,
 * where one unknown file breaks v0.5.2's listing (R22).
 */
const PLACE = ["convoy-objectstore", ".convoy", "tmp"] as const;
/** A file that nobody has written to for so long has no writer any more. */
const ABANDONED_MS = 24 * 3_600_000;

export interface Temporary {
  handle: FileHandle;
  /** Renames it into place; it is no longer temporary then. */
  moveTo(target: Dir, name: string): Promise<void>;
  /** Gives everything back; removes the file unless it was moved. */
  end(): Promise<void>;
}

/** Opens a new file of a name that nobody else uses. */
export async function openTemporary(chains: Chains): Promise<Temporary> {
  const chain = await chains.make(PLACE);
  const dir = chain.parent;
  try {
    const name = `${process.pid}-${randomBytes(8).toString("hex")}.tmp`;
    const handle = await dir.openNew(name);
    let moved = false;
    return {
      handle,
      async moveTo(target, newName) {
        // Only the target's entry has to last: a temporary name that comes back after a power cut is cleared away.
        await dir.rename(name, target, newName);
        moved = true;
      },
      async end() {
        await handle.close();
        try {
          if (!moved) await dir.remove(name);
        } finally {
          await chain.close();
        }
      },
    };
  } catch (error) {
    await chain.close();
    throw error;
  }
}

/** Removes what writers that died have left. @param now the store's own time */
export async function removeAbandoned(chains: Chains, now: Date): Promise<number> {
  const chain = await chains.open(PLACE);
  if (chain === undefined) return 0;
  let removed = 0;
  try {
    for (const name of await chain.parent.list()) {
      const stats = await chain.parent.stat(name);
      if (!stats?.isFile() || now.getTime() - Number(stats.mtimeMs) < ABANDONED_MS) continue;
      await chain.parent.remove(name);
      removed += 1;
    }
    return removed;
  } finally {
    await chain.close();
  }
}
