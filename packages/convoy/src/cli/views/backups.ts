import type { BackupRecord } from "node-convoy";
import { humanAge, humanSize, shellQuote } from "../human.ts";
import { listing, table } from "../table.ts";

/** `convoy backup list` for people; the URLs can be pasted into a shell as they stand. */
export function backupsText(backups: { [url: string]: BackupRecord }): string {
  const entries = Object.entries(backups);
  if (entries.length === 0) return "There are no backups in this store.";
  const troubled = entries.some(([, backup]) => backup.Problem);
  return table(
    ["VOLUME", "SNAPSHOT", "SIZE", "AGE", ...(troubled ? ["PROBLEM"] : []), "URL"],
    entries.map(([url, backup]) => [
      backup.VolumeName,
      backup.SnapshotName,
      humanSize(backup.VolumeSize),
      humanAge(backup.CreatedTime),
      ...(troubled ? [backup.Problem ?? ""] : []),
      shellQuote(url),
    ]),
  );
}

/** `convoy backup inspect` for people. */
export function backupText(backup: BackupRecord): string {
  return listing([
    ["Backup", backup.BackupName],
    ["URL", shellQuote(backup.BackupURL)],
    ["Problem", backup.Problem],
    ["Created", `${backup.CreatedTime} (${humanAge(backup.CreatedTime)} ago)`],
    ["Volume", backup.VolumeName],
    ["Volume size", humanSize(backup.VolumeSize)],
    ["Snapshot", `${backup.SnapshotName} of ${backup.SnapshotCreatedAt}`],
    ["Driver", backup.DriverName],
  ]);
}
