import { randomUUID } from "node:crypto";
import { isValidName } from "node-convoy/wire";
import { ConvoyError } from "../../errors.ts";

/**
 * Where things lie in a store of format v0.5 (docs/backup-format.md, "Layout"). Every key is derived from names here
 * and nowhere else, and never taken from a file (R31). Things of our own lie below `.convoy` (R22).
 */
export const OBJECT_STORE = "convoy-objectstore";
export const VOLUMES = `${OBJECT_STORE}/volumes`;
const LOCKS = `${OBJECT_STORE}/.convoy/locks`;

/** Directory name of a volume: its name, padded with `!` to four bytes. */
function paddedName(name: string): string {
  return name.padEnd(name.length + Math.max(0, 4 - Buffer.byteLength(name)), "!");
}

/**
 * True for names that a backup may have in a store: those of the pattern, and what v0.5.2 let through, as long as it
 * is a single path component. Names that are not plain ASCII are not (their directories cut characters in two), nor
 * those whose directory would lie outside of the volumes.
 */
export function isStoredName(name: string): boolean {
  return /^[\x20-\x7e]{1,255}$/.test(name) && !name.includes("/") && !name.startsWith("..") && !name.endsWith("!");
}

function checkName(kind: string, name: string): string {
  if (isStoredName(name)) return name;
  throw new ConvoyError("INVALID_NAME", `Invalid ${kind} name ${JSON.stringify(name)}`, {
    hint: "Allowed are letters, digits, `_`, `.` and `-`, at least two characters, beginning with a letter or digit.",
  });
}

/** Directory of a volume, for example `convoy-objectstore/volumes/db/!!/db!!`. @throws INVALID_NAME */
export function volumeDirectory(volume: string): string {
  const directory = paddedName(checkName("volume", volume));
  const second = directory.slice(2, 4);
  // v0.5.2 joined and cleaned the parts: a name with `..` at its third byte lies one level higher, without its prefix.
  if (second === "..") return `${VOLUMES}/${directory}`;
  return `${VOLUMES}/${directory.slice(0, 2)}/${second}/${directory}`;
}

/** The volume whose directory has this last part; undefined if there is none. */
export function volumeOfDirectory(directory: string): string | undefined {
  const volume = directory.replace(/!+$/, "");
  return isStoredName(volume) && paddedName(volume) === directory ? volume : undefined;
}

export function volumeCfgKey(volume: string): string {
  return `${volumeDirectory(volume)}/volume.cfg`;
}

export function backupCfgDirectory(volume: string): string {
  return `${volumeDirectory(volume)}/backups`;
}

export function backupCfgKey(volume: string, backup: string): string {
  return `${backupCfgDirectory(volume)}/backup_${checkName("backup", backup)}.cfg`;
}

/** The backup whose cfg has this key; undefined for anything else that lies there. */
export function backupOfCfgKey(volume: string, key: string): string | undefined {
  const prefix = `${backupCfgDirectory(volume)}/backup_`;
  if (!key.startsWith(prefix) || !key.endsWith(".cfg")) return undefined;
  const backup = key.slice(prefix.length, -".cfg".length);
  return isStoredName(backup) ? backup : undefined;
}

export function archiveDirectory(volume: string): string {
  return `${volumeDirectory(volume)}/BackupFiles`;
}

/** Key of a single-file backup's archive, which is also its `FilePath`. */
export function archiveKey(volume: string, backup: string): string {
  return `${archiveDirectory(volume)}/${checkName("backup", backup)}.bak`;
}

export function lockDirectory(volume: string): string {
  return `${LOCKS}/${paddedName(checkName("volume", volume))}`;
}

/** A new backup's name: `backup-` and the first 16 hex digits of a random UUID. */
export function newBackupName(): string {
  return `backup-${randomUUID().replaceAll("-", "").slice(0, 16)}`;
}

/** True if a URL can name this backup; others can only be listed. */
export function isAddressable(volume: string, backup: string): boolean {
  return isValidName(volume) && isValidName(backup);
}
