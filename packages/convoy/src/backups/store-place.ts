import { realpath } from "node:fs/promises";
import { ConvoyError } from "../errors.ts";
import { isWithin } from "../host/mountinfo.ts";
import { parseStoreUrl } from "../stores/url.ts";

/**
 * Refuses a store inside a directory that is not meant for backups, such as the daemon's root (R26). Volumes and
 * snapshots are told by their drivers (`Driver.claims`).
 */
export async function refuseStoreWithin(url: string, directories: readonly string[]): Promise<void> {
  const place = parseStoreUrl(url);
  if (place.scheme !== "vfs") return;
  const path = await realpath(place.path);
  for (const directory of directories) {
    // A directory that is not there holds no store.
    const real = await realpath(directory).catch(() => undefined);
    if (real === undefined || !isWithin(path, real)) continue;
    throw new ConvoyError(
      "INVALID_URL",
      `The store ${place.path} lies inside ${real}, where the daemon keeps its own state`,
      {
        hint: "Choose another directory, best on another disk.",
      },
    );
  }
}
