import { readFile } from "node:fs/promises";

/** One line of /proc/self/mountinfo (proc(5)). */
export interface Mount {
  mountPoint: string;
  /** Root of the mount within its file system. */
  root: string;
  /** `major:minor`. */
  device: string;
  type: string;
  source: string;
  options: string[];
  superOptions: string[];
}

/** mountinfo writes blank, tab, newline and backslash as octal escapes. */
function decodeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

export function parseMountinfo(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split("\n")) {
    const fields = line.split(" ");
    const separator = fields.indexOf("-", 6);
    if (separator < 0) continue;
    mounts.push({
      device: fields[2]!,
      root: decodeOctal(fields[3]!),
      mountPoint: decodeOctal(fields[4]!),
      options: fields[5]!.split(","),
      type: fields[separator + 1]!,
      source: decodeOctal(fields[separator + 2]!),
      superOptions: (fields[separator + 3] ?? "").split(","),
    });
  }
  return mounts;
}

export async function readMounts(): Promise<Mount[]> {
  return parseMountinfo(await readFile("/proc/self/mountinfo", "utf8"));
}

/** True if `path` is `directory` or lies below it; compares whole components (R10: `/m/db` is not in `/m/dbdata`). */
export function isWithin(path: string, directory: string): boolean {
  const base = directory === "/" ? "/" : `${directory}/`;
  return path === directory || path.startsWith(base);
}

/** The mount that `path` (absolute, links resolved) lies on: the last one with the longest fitting mount point. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    if (!isWithin(path, mount.mountPoint)) continue;
    if (best === undefined || mount.mountPoint.length >= best.mountPoint.length) best = mount;
  }
  return best;
}

/** Mounts at `path` or below it. */
export function mountsWithin(path: string, mounts: readonly Mount[]): Mount[] {
  return mounts.filter((mount) => isWithin(mount.mountPoint, path));
}

const NETWORK_TYPES = /^(nfs4?|cifs|smb3|ceph|glusterfs|fuse\.(glusterfs|sshfs|ceph|s3fs|rclone)|9p|afs|lustre)$/;

export function isNetworkType(type: string): boolean {
  return NETWORK_TYPES.test(type);
}

/** True where flock(2) does not reach other hosts (R4): NFS mounted with `nolock` or `local_lock=flock|all`. */
export function hasLocalLocksOnly(mount: Mount): boolean {
  if (!/^nfs4?$/.test(mount.type)) return false;
  const options = [...mount.options, ...mount.superOptions];
  return options.some((option) => option === "nolock" || option === "local_lock=all" || option === "local_lock=flock");
}
