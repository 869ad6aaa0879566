import { backupCreateRequest, backupListRequest, backupRequest, unescapeBackupUrl } from "node-convoy/wire";
import type { VolumesApi } from "../../volumes/api.ts";
import { sortedByKey } from "../encode.ts";
import { backupRecord } from "../records.ts";
import { empty, json, jsonEntries, withWarnings, word } from "../reply.ts";
import { type Route, restRoute } from "../route.ts";

/** Routes of backups. */
export function backupRoutes(volumes: VolumesApi): Route[] {
  return [
    restRoute("backup", "POST", "/backups/create", backupCreateRequest, async (fields) => {
      const { url, warnings } = await volumes.createBackup({
        url: fields.URL ?? "",
        endpoint: fields.Endpoint ?? "",
        snapshot: fields.SnapshotName ?? "",
        volume: fields.VolumeName ?? "",
        initStore: fields.InitStore ?? false,
      });
      const verbose = { URL: url, ...(warnings.length === 0 ? {} : { Warnings: warnings }) };
      return withWarnings(fields.Verbose ? json(verbose) : word(escapeBackupUrl(url)), warnings);
    }),
    restRoute("list-backups", "GET", "/backups/list", backupListRequest, async (fields) => {
      const backups = await volumes.listBackups({
        url: fields.URL ?? "",
        endpoint: fields.Endpoint ?? "",
        volume: fields.VolumeName ?? "",
        snapshot: fields.SnapshotName ?? "",
      });
      return jsonEntries(sortedByKey(backups.map((backup) => [backup.url, backupRecord(backup)] as const)));
    }),
    restRoute("inspect-backup", "GET", "/backups/inspect", backupRequest, async ({ URL = "", Endpoint = "" }) =>
      json(backupRecord(await volumes.inspectBackup({ url: unescapeBackupUrl(URL), endpoint: Endpoint }))),
    ),
    restRoute("delete-backup", "DELETE", "/backups", backupRequest, async ({ URL = "", Endpoint = "" }) => {
      await volumes.deleteBackup({ url: unescapeBackupUrl(URL), endpoint: Endpoint });
      return empty();
    }),
  ];
}

/** A backup URL as a bare word: v0.5.2 wrote its first `&` as six characters, and scripts undo that. */
function escapeBackupUrl(url: string): string {
  return url.replace("&", "\\u0026");
}
