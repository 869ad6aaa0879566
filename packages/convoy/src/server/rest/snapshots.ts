import { snapshotCreateRequest, snapshotRequest } from "node-convoy/wire";
import type { VolumesApi } from "../../volumes/api.ts";
import { snapshotRecord } from "../records.ts";
import { empty, json, withWarnings, word } from "../reply.ts";
import { type Route, restRoute } from "../route.ts";

/** Routes of snapshots. */
export function snapshotRoutes(volumes: VolumesApi): Route[] {
  return [
    restRoute(
      "snapshot",
      "POST",
      "/snapshots/create",
      snapshotCreateRequest,
      async ({ VolumeName = "", Name = "", Verbose }) => {
        const created = await volumes.createSnapshot(VolumeName, Name);
        const reply = Verbose ? json(snapshotRecord(created, "create")) : word(created.snapshot.name);
        return withWarnings(reply, created.snapshot.warnings);
      },
    ),
    restRoute("inspect-snapshot", "GET", "/snapshots", snapshotRequest, async ({ SnapshotName = "", VolumeName }) =>
      json(snapshotRecord(await volumes.inspectSnapshot(SnapshotName, VolumeName || undefined), "inspect")),
    ),
    restRoute("delete-snapshot", "DELETE", "/snapshots", snapshotRequest, async ({ SnapshotName = "", VolumeName }) => {
      await volumes.deleteSnapshot(SnapshotName, VolumeName || undefined);
      return empty();
    }),
  ];
}
