import type { DetachedVolumeRecord, DriverInfo, HolderRecord, VolumeRecord } from "node-convoy";
import { humanAge, humanSize } from "../human.ts";
import { listing, table } from "../table.ts";

/** `convoy list` for people. */
export function volumesText(volumes: { [name: string]: VolumeRecord }): string {
  const records = Object.values(volumes);
  if (records.length === 0) return "There are no volumes.";
  const troubled = records.some((volume) => volume.Problem);
  return table(
    ["NAME", "DRIVER", "SIZE", "SNAPSHOTS", "AGE", "MOUNTED AT", ...(troubled ? ["PROBLEM"] : [])],
    records.map((volume) => [
      volume.Name,
      volume.Driver,
      humanSize(volume.DriverInfo?.["Size"]),
      String(Object.keys(volume.Snapshots ?? {}).length),
      humanAge(volume.CreatedTime),
      volume.MountPoint || "-",
      ...(troubled ? [volume.Problem ?? ""] : []),
    ]),
  );
}

/** `convoy list --driver` for people. */
export function driverInfosText(infos: { [name: string]: DriverInfo }): string {
  const entries = Object.entries(infos);
  if (entries.length === 0) return "There are no volumes.";
  return entries.map(([name, info]) => `${name}\n${indent(driverText(info))}`).join("\n\n");
}

/** `convoy list --detached` for people. */
export function detachedText(volumes: { [name: string]: DetachedVolumeRecord }): string {
  const records = Object.values(volumes);
  if (records.length === 0) return "No volume was deleted with --reference.";
  return table(
    ["NAME", "DRIVER", "SNAPSHOTS", "AGE", "DETACHED SINCE", "DATA"],
    records.map((volume) => [
      volume.Name,
      volume.Driver,
      String(volume.Snapshots.length),
      humanAge(volume.CreatedTime),
      humanAge(volume.DetachedTime),
      volume.Path,
    ]),
  );
}

/** `convoy inspect` for people. */
export function volumeText(volume: VolumeRecord): string {
  const snapshots = Object.values(volume.Snapshots ?? {});
  const parts = [
    listing([
      ["Volume", volume.Name],
      ["Problem", volume.Problem],
      ["Driver", volume.Driver],
      ["Created", `${volume.CreatedTime} (${humanAge(volume.CreatedTime)} ago)`],
      ["Mounted at", volume.MountPoint || "-"],
    ]),
    indent(driverText(volume.DriverInfo ?? {}, ["Driver", "MountPoint", "VolumeName", "VolumeCreatedAt"])),
    holdersText(volume.Holders ?? []),
    snapshots.length === 0
      ? "Snapshots: none"
      : `Snapshots:\n${indent(
          table(
            ["NAME", "AGE", "CREATED"],
            snapshots.map((snapshot) => [snapshot.Name, humanAge(snapshot.CreatedTime), snapshot.CreatedTime]),
          ),
        )}`,
  ];
  return parts.filter((part) => part !== "").join("\n");
}

function holdersText(holders: readonly HolderRecord[]): string {
  if (holders.length === 0) return "";
  const rows = holders.map((holder) => [holder.Kind, holder.Host, holder.Root, holder.ID || "-", holder.Since]);
  return `Mount held by:\n${indent(table(["KIND", "HOST", "ROOT", "CALLER", "SINCE"], rows))}`;
}

/** A driver's own fields; sizes also in words. */
export function driverText(info: DriverInfo, hidden: readonly string[] = []): string {
  return listing(
    Object.entries(info)
      .filter(([name]) => !hidden.includes(name))
      .map(([name, value]) => [
        name,
        /Size$/.test(name) && Number(value) >= 1024 ? `${value} (${humanSize(value)})` : value,
      ]),
  );
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}
