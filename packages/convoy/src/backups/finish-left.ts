import type { Store } from "../stores/store.ts";
import { archiveKey, backupCfgKey } from "./format/layout.ts";
import type { LockPurpose } from "./lock-file.ts";

/**
 * Cleans up what an interrupted backup or deletion of a single-file backup left: an archive whose cfg is not there is
 * no backup. With a cfg the backup is complete (the cfg is written last and removed first), and nothing is touched.
 */
export async function finishLeft(store: Store, left: LockPurpose, signal: AbortSignal): Promise<void> {
  const cfg = await store.stat(backupCfgKey(left.volume, left.backup), { signal });
  if (cfg === undefined) await store.delete(archiveKey(left.volume, left.backup), { signal });
}
