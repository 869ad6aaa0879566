import { ConvoyError } from "../errors.ts";
import type { Dir } from "../host/dir.ts";
import { type FileLock, lockFile } from "../host/file-lock.ts";

/**
 * Locks the root for this daemon (R4). `<root>/lock` and flock(2) are what v0.5.2 uses, so a running one of either
 * kind shuts the other out. The lock dies with the process; the file stays.
 */
export async function lockRoot(root: Dir): Promise<FileLock> {
  const lock = await lockFile(root, "lock", 0);
  if (lock !== undefined) return lock;
  const path = `${root.path}/lock`;
  throw new ConvoyError(
    "ALREADY_RUNNING",
    `Failed to lock the file at ${path}: resource temporarily unavailable; another Convoy daemon uses this root`,
    { hint: `'fuser -v ${path}' names it. Stop it, or give this one a root of its own with --root.` },
  );
}
