import type { OperationContext } from "../host/operation.ts";
import type { Store } from "../stores/store.ts";
import { parseBackupUrl } from "../stores/url.ts";
import { loadBackup } from "./cfg-store.ts";
import type { BackupPlace, BackupSummary } from "./engine.ts";
import { type EngineContext, withStore } from "./engine-context.ts";
import type { BackupCfg } from "./format/backup-cfg.ts";
import { archiveKey } from "./format/layout.ts";
import { summarise } from "./format/summary.ts";
import { archiveProblem } from "./list-backups.ts";

/** What is known of one backup. @throws BACKUP_NOT_FOUND, BACKUP_DAMAGED, FORGED */
export async function inspectBackup(
  engine: EngineContext,
  request: BackupPlace,
  { signal }: OperationContext,
): Promise<BackupSummary> {
  const { backup, volume } = parseBackupUrl(request.url);
  return await withStore(engine, request, async (store) => {
    const { summary } = await describe(store, volume, backup, signal);
    return summary;
  });
}

/** Loads a backup and looks whether its archive is there. */
export async function describe(
  store: Store,
  volume: string,
  backup: string,
  signal: AbortSignal,
): Promise<{ summary: BackupSummary; cfg: BackupCfg }> {
  const { volumeCfg, cfg } = await loadBackup(store, volume, backup, signal);
  const summary = summarise(store.url, volumeCfg, cfg);
  if (cfg.blocks !== undefined) return { summary, cfg };
  const archive = await store.stat(archiveKey(volume, backup), { signal });
  const problem = archiveProblem(cfg, archive?.size);
  return { summary: problem === undefined ? summary : { ...summary, problem }, cfg };
}
