import { parseTime } from "../../host/time.ts";
import { holderRecord, type VolumeState } from "../records.ts";

/** A volume as Docker's List shows it; empty fields are left out. */
export function listedVolume(volume: VolumeState) {
  return {
    Name: volume.name,
    Mountpoint: volume.mountPoint || undefined,
    CreatedAt: toRfc3339(volume.createdTime),
  };
}

/** A volume as Docker's Get shows it: `docker volume inspect` prints `Status` as it is. */
export function inspectedVolume(volume: VolumeState) {
  return {
    ...listedVolume(volume),
    Status: {
      Driver: volume.driver,
      Size: String(volume.size),
      Snapshots: [...volume.snapshots.keys()].sort(),
      Holders: volume.holders.map(holderRecord),
      Problem: volume.problem,
    },
  };
}

/** Docker wants RFC 3339; a record whose time is odd is shown without one rather than breaking the listing. */
function toRfc3339(time: string): string | undefined {
  return parseTime(time)?.toISOString().replace(".000Z", "Z");
}
