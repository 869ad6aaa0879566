import { goJson } from "../../host/go-json.ts";
import { decodeFields, parseFirstValue } from "./go-json-decode.ts";
import { volumeCfgKey } from "./layout.ts";
import { checker, damaged, forged } from "./schema.ts";

/** `volume.cfg`: what a store knows of a volume (docs/backup-format.md). */
export interface VolumeCfg {
  name: string;
  driver: string;
  /** Bytes; the largest of all its backups (R21), 0 for vfs. */
  size: number;
  createdTime: string;
  /** Newest delta-block backup; always empty for vfs. */
  lastBackupName: string;
  /** Fields that other writers put there; they survive a rewrite. */
  unknown: Record<string, unknown>;
}

const FIELDS = ["Name", "Driver", "Size", "CreatedTime", "LastBackupName"] as const;

const check = checker({
  type: "object",
  properties: {
    Name: { type: "string" },
    Driver: { type: "string" },
    Size: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    CreatedTime: { type: "string" },
    LastBackupName: { type: "string" },
  },
});

/** Largest volume.cfg that is read, in bytes; v0.5.2 writes some 200. */
export const MAX_VOLUME_CFG = 64 * 1024;

/** The file's bytes: compact, no newline, the fields in the order of v0.5.2. */
export function encodeVolumeCfg(cfg: VolumeCfg): Uint8Array {
  const { name: Name, driver: Driver, size: Size, createdTime: CreatedTime, lastBackupName: LastBackupName } = cfg;
  return Buffer.from(goJson({ Name, Driver, Size, CreatedTime, LastBackupName, ...cfg.unknown }));
}

/** @throws BACKUP_DAMAGED, or FORGED if the file is about another volume than the one it lies with */
export function decodeVolumeCfg(bytes: Uint8Array, volume: string): VolumeCfg {
  const key = volumeCfgKey(volume);
  let value: unknown;
  try {
    value = parseFirstValue(bytes);
  } catch (cause) {
    throw damaged(key, "it is not JSON", cause);
  }
  const fields = decodeFields(value, FIELDS);
  if (fields === undefined) throw damaged(key, "it is not a JSON object");
  const cfg = check(fields.known, key);
  if (cfg.Name !== volume) throw forged(key, `its Name is ${JSON.stringify(cfg.Name ?? "")}, not ${volume}`);
  return {
    name: cfg.Name,
    driver: cfg.Driver ?? "",
    size: cfg.Size ?? 0,
    createdTime: cfg.CreatedTime ?? "",
    lastBackupName: cfg.LastBackupName ?? "",
    unknown: fields.unknown,
  };
}
