import type { SnapshotRecord } from "node-convoy";
import { humanAge } from "../human.ts";
import { listing } from "../table.ts";
import { driverText } from "./volumes.ts";

/** `convoy snapshot inspect` for people. */
export function snapshotText(snapshot: SnapshotRecord): string {
  const head = listing([
    ["Snapshot", snapshot.Name],
    ["Volume", snapshot.VolumeName],
    ["Created", `${snapshot.CreatedTime} (${humanAge(snapshot.CreatedTime)} ago)`],
    ["Warning", snapshot.Warnings?.join("; ")],
  ]);
  return `${head}\n${driverText(snapshot.DriverInfo ?? {}, ["SnapshotName", "SnapshotCreatedAt", "VolumeUUID"])}`;
}
