import { ConvoyError, errnoOf } from "../../errors.ts";
import * as sys from "../sys.ts";
import { applyAttributesAt, attributesOf, handlePathAt } from "./attributes.ts";
import type { ManifestEntry } from "./manifest.ts";
import { entryOf, isVanished } from "./source.ts";
import { shown } from "./walk.ts";

export interface Place {
  /** Handles of the directories. */
  from: number;
  to: number;
  name: Buffer;
  /** In the tree. */
  path: Buffer;
}

/** Copies a symbolic link, FIFO or device node. @returns undefined if it is not there any more */
export function copySpecial(place: Place, stat: sys.Stat): ManifestEntry | undefined {
  const { from, to, name, path } = place;
  let target: Buffer | undefined;
  let xattrs: sys.Xattrs;
  try {
    if ((stat.mode & sys.S.IFMT) === sys.S.IFLNK) target = sys.readlinkat(from, name);
    xattrs = sys.lxattrs(handlePathAt(from, name));
  } catch (error) {
    if (isVanished(error) || errnoOf(error) === "EINVAL") return undefined;
    throw error;
  }
  if (target !== undefined) {
    sys.symlinkat(target, to, name);
    applyAttributesAt(to, name, attributesOf(stat, xattrs), path);
    return { ...entryOf("symlink", path, stat, xattrs), target };
  }
  makeNode(place, stat);
  applyAttributesAt(to, name, attributesOf(stat, xattrs), path);
  if ((stat.mode & sys.S.IFMT) === sys.S.IFIFO) return entryOf("fifo", path, stat, xattrs);
  const type = (stat.mode & sys.S.IFMT) === sys.S.IFCHR ? "character" : "block";
  return { ...entryOf(type, path, stat, xattrs), device: { major: stat.rdevMajor, minor: stat.rdevMinor } };
}

function makeNode({ to, name, path }: Place, stat: sys.Stat): void {
  try {
    sys.mknodat(to, name, (stat.mode & sys.S.IFMT) | 0o600, stat.rdevMajor, stat.rdevMinor);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") throw error;
    throw new ConvoyError("UNSUPPORTED", `the device node '${shown(path)}' cannot be made: EPERM`, {
      cause: error,
      hint: "Run the daemon as root, or remove the device node from the volume.",
    });
  }
}
