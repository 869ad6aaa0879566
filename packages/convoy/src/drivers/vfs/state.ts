import type { Holder, SnapshotState, VolumeState } from "../driver.ts";
import type { Identity } from "../records/identities.ts";
import type { VfsContext } from "./context.ts";
import type { VfsRecord, VfsSnapshot } from "./record.ts";

export function toSnapshotState(snapshot: VfsSnapshot, identity?: Identity): SnapshotState {
  const known = identity?.Snapshots[snapshot.Name];
  const same = known?.CreatedTime === snapshot.CreatedTime;
  return {
    name: snapshot.Name,
    id: same ? known.ID : "",
    createdTime: snapshot.CreatedTime,
    info: {
      FilePath: snapshot.FilePath,
      SnapshotCreatedAt: snapshot.CreatedTime,
      SnapshotName: snapshot.Name,
      VolumeUUID: snapshot.VolumeUUID,
    },
    warnings: same ? (known.Warnings ?? []) : [],
  };
}

/** The volume as every protocol sees it. The path is this host's, whatever the record says of another's. */
export function toVolumeState(
  context: VfsContext,
  record: VfsRecord,
  extra: { identity?: Identity | undefined; holders?: Holder[] } = {},
): VolumeState {
  const path = `${context.config.path}/${record.Name}`;
  // The original's single field is shared by hosts that may mount the tree at different places.
  const mountPoint = record.MountPoint === "" ? "" : path;
  const snapshots = Object.values(record.Snapshots).map((snapshot) => toSnapshotState(snapshot, extra.identity));
  return {
    name: record.Name,
    driver: "vfs",
    id: extra.identity?.ID ?? record.VolumeID ?? "",
    ...(extra.identity?.Ancestor && { ancestorId: extra.identity.Ancestor }),
    size: record.PrepareForVM ? record.Size : 0,
    mountPoint,
    createdTime: record.CreatedTime,
    info: {
      MountPoint: mountPoint,
      Path: path,
      PrepareForVM: String(record.PrepareForVM),
      Size: record.PrepareForVM ? String(record.Size) : "0",
      VolumeCreatedAt: record.CreatedTime,
      VolumeName: record.Name,
    },
    snapshots: new Map(snapshots.map((snapshot) => [snapshot.name, snapshot])),
    holders: extra.holders ?? [],
  };
}

/** What is shown of a volume whose record cannot be used. */
export function toProblemState(name: string, problem: string): VolumeState {
  return {
    name,
    driver: "vfs",
    id: "",
    size: 0,
    mountPoint: "",
    createdTime: "",
    info: {},
    snapshots: new Map(),
    holders: [],
    problem,
  };
}
