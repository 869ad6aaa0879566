import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import type { Dir } from "./dir.ts";
import { tryFlock } from "./sys.ts";

const POLL_MS = 20;

/** A held flock(2); closing the descriptor gives it back, also when the process dies. */
export interface FileLock {
  release(): Promise<void>;
}

/**
 * Takes an exclusive flock on a file of `dir`, making the file if need be, and waits at most `waitMs` (R4). The file
 * is opened for writing, because flock over NFS asks for it, and is never unlinked by us: Convoy v0.5.2 unlinks its
 * lock files, so after locking, path and descriptor must still be the same inode, else it is tried again.
 * @returns undefined if somebody else still held it at the end.
 */
export async function lockFile(dir: Dir, name: string, waitMs: number): Promise<FileLock | undefined> {
  const deadline = performance.now() + waitMs;
  for (;;) {
    const handle = await open(
      `${dir.handlePath}/${name}`,
      constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      0o644,
    );
    try {
      if (await tryFlock(handle.fd)) {
        const held = await handle.stat({ bigint: true });
        const present = await dir.stat(name);
        if (held.isFile() && present?.ino === held.ino && present.dev === held.dev) {
          return { release: () => handle.close() };
        }
      }
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
    if (performance.now() >= deadline) return undefined;
    await delay(POLL_MS);
  }
}
