/** Names of volumes, snapshots and backups: the pattern of Convoy v0.5.2, at least two characters (R3). */
export const NAME_PATTERN = "^[a-zA-Z0-9][a-zA-Z0-9_.-]+$";
/** Longest name of a new volume, in bytes (names are ASCII). */
export const MAX_VOLUME_NAME = 127;
/** Longest name of a new snapshot, in bytes: generated names grow out of volume names. */
export const MAX_SNAPSHOT_NAME = 200;

const pattern = new RegExp(NAME_PATTERN);

/** True for a name that every command accepts. `$` in JavaScript does not match before a final newline, so this is exact. */
export function isValidName(name: string): boolean {
  return pattern.test(name);
}
