import { ConvoyError, isConvoyError } from "../errors.ts";
import type { OperationContext } from "../host/operation.ts";
import type { Store } from "../stores/store.ts";
import { parseBackupUrl } from "../stores/url.ts";
import { extractArchive } from "./archive/index.ts";
import type { BackupPlace, OpenedRestore } from "./engine.ts";
import type { EngineContext } from "./engine-context.ts";
import type { BackupCfg } from "./format/backup-cfg.ts";
import { archiveKey } from "./format/layout.ts";
import { describe } from "./inspect-backup.ts";
import type { RestoreTarget } from "./source.ts";

/**
 * Opens a backup for restoring and refuses it while nothing has been made for it yet: cfgs that are damaged, an
 * archive that is missing or of the wrong size. The caller closes what it gets.
 * @throws BACKUP_NOT_FOUND, BACKUP_DAMAGED, FORGED
 */
export async function openRestore(
  engine: EngineContext,
  request: BackupPlace,
  context: OperationContext,
): Promise<OpenedRestore> {
  const { backup, volume } = parseBackupUrl(request.url);
  const store = await engine.openStore(request.url, request.endpoint);
  try {
    const { summary, cfg } = await describe(store, volume, backup, context.signal);
    if (summary.problem !== undefined) throw damagedBackup(cfg, summary.problem);
    return {
      summary,
      fill: (target, filling) => fill(store, cfg, target, filling),
      close: () => store.close(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function fill(store: Store, cfg: BackupCfg, target: RestoreTarget, context: OperationContext): Promise<void> {
  const { signal, log } = context;
  if (cfg.blocks !== undefined) {
    throw new ConvoyError("UNSUPPORTED", `Backup ${cfg.name} is a list of blocks, which fits no volume of files`, {
      hint: "Restore it with the block driver.",
    });
  }
  if (cfg.archiveSha256 === undefined) {
    log.warn(
      { backup: cfg.name },
      "this backup bears no checksum (Convoy v0.5.2 wrote none): only gzip's own is checked",
    );
  }
  const { info, body } = await openArchive(store, cfg, signal);
  const expect = { size: cfg.archiveSize ?? info.size, ...(cfg.archiveSha256 && { sha256: cfg.archiveSha256 }) };
  await extractArchive({ body, target, expect }, context);
}

async function openArchive(store: Store, cfg: BackupCfg, signal: AbortSignal) {
  const key = archiveKey(cfg.volumeName, cfg.name);
  try {
    return await store.get(key, { signal });
  } catch (error) {
    if (isConvoyError(error, "BACKUP_NOT_FOUND")) throw damagedBackup(cfg, `its archive ${key} is missing`, error);
    throw error;
  }
}

function damagedBackup({ name, volumeName }: BackupCfg, what: string, cause?: unknown): ConvoyError {
  return new ConvoyError("BACKUP_DAMAGED", `Backup ${name} of volume ${volumeName} cannot be restored: ${what}`, {
    cause,
    hint: "Restore another backup of the volume, or copy what is missing back from another copy of the store.",
  });
}
