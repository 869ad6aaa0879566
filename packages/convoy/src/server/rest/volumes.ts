import {
  unescapeBackupUrl,
  volumeCreateRequest,
  volumeDeleteRequest,
  volumeListRequest,
  volumeMountRequest,
  volumeRenameRequest,
  volumeRequest,
  volumeUmountRequest,
} from "node-convoy/wire";
import type { VolumesApi } from "../../volumes/api.ts";
import { detachedRecord, driverInfo, volumeRecord } from "../records.ts";
import { empty, json, jsonEntries, withWarnings, word } from "../reply.ts";
import { queryRoute, type Route, restRoute } from "../route.ts";

/** Routes of volumes. */
export function volumeRoutes(volumes: VolumesApi): Route[] {
  const umount = (path: string) =>
    restRoute(
      "umount",
      "POST",
      path,
      volumeUmountRequest,
      async ({ VolumeName = "", Force = false, ForceRoot = "" }) => {
        await volumes.umount(VolumeName, { force: Force, forceRoot: ForceRoot });
        return empty();
      },
    );
  return [
    queryRoute("list", "/volumes/list", volumeListRequest, async ({ driver, detached }) => {
      if (detached === "1") return listDetached(volumes);
      const sorted = (await volumes.list()).toSorted((a, b) => (a.name < b.name ? -1 : 1));
      return jsonEntries(
        lazily(sorted, (volume) => (driver === "1" ? driverInfo(volume.info, volume.driver) : volumeRecord(volume))),
      );
    }),
    restRoute(
      "inspect",
      "GET",
      "/volumes",
      volumeRequest,
      async ({ VolumeName = "" }) => json(volumeRecord(await volumes.inspect(VolumeName))),
      { notFoundIs404: true },
    ),
    restRoute("create", "POST", "/volumes/create", volumeCreateRequest, async (fields) => {
      const { volume, warnings } = await volumes.create({
        name: fields.Name ?? "",
        driver: fields.DriverName ?? "",
        size: fields.Size ?? 0,
        backupUrl: unescapeBackupUrl(fields.BackupURL ?? ""),
        endpoint: fields.Endpoint ?? "",
        id: fields.DriverVolumeID ?? "",
        type: fields.Type ?? "",
        iops: fields.IOPS ?? 0,
        vm: fields.PrepareForVM ?? false,
        ...(fields.UID === undefined ? {} : { uid: fields.UID }),
        ...(fields.GID === undefined ? {} : { gid: fields.GID }),
        ...(fields.Mode === undefined ? {} : { mode: fields.Mode }),
      });
      return withWarnings(fields.Verbose ? json(volumeRecord(volume, warnings)) : word(volume.name), warnings);
    }),
    restRoute(
      "delete",
      "DELETE",
      "/volumes",
      volumeDeleteRequest,
      async ({ VolumeName = "", ReferenceOnly = false, Detached = false }) => {
        if (Detached) await volumes.deleteDetached(VolumeName);
        else await volumes.delete(VolumeName, { reference: ReferenceOnly });
        return empty();
      },
      { notFoundIs404: true },
    ),
    restRoute("rename", "POST", "/volumes/rename", volumeRenameRequest, async ({ VolumeName = "", NewName = "" }) => {
      await volumes.rename(VolumeName, NewName);
      return empty();
    }),
    restRoute(
      "mount",
      "POST",
      "/volumes/mount",
      volumeMountRequest,
      async ({ VolumeName = "", MountPoint = "", Verbose }) => {
        const mountPoint = await volumes.mount(VolumeName, MountPoint);
        return Verbose ? json(volumeRecord(await volumes.inspect(VolumeName))) : word(mountPoint);
      },
    ),
    umount("/volumes/umount"),
    // The name that the old client library used, and v0.5.2 did not know.
    umount("/volumes/unmount"),
  ];
}

async function listDetached(volumes: VolumesApi) {
  const detached = await volumes.listDetached();
  return json(new Map(detached.map((volume) => [volume.name, detachedRecord(volume)])));
}

/** Records are made when they are written, not all at once. */
function* lazily<T extends { name: string }>(items: readonly T[], toRecord: (item: T) => unknown) {
  for (const item of items) yield [item.name, toRecord(item)] as const;
}
