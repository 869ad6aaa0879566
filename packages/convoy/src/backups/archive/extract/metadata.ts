import { chmodSync } from "node:fs";
import { ConvoyError, errnoOf } from "../../../errors.ts";
import * as sys from "../../../host/sys.ts";
import type { TreeEntry } from "../../../host/tree/entry.ts";
import { shown } from "../errors.ts";

type Xattrs = TreeEntry["xattrs"];

/** Labels of the host's security policy, not of the volume: where they cannot be set, the host sets its own. */
const HOST_LABELS = new Set(["security.selinux", "security.SMACK64", "security.ima", "security.evm"]);

/**
 * Sets owner, mode, xattrs and time of an open file or directory. In this order: a change of owner clears setuid and
 * capabilities, and everything else changes no time.
 */
export function setMetadata(fd: number, entry: TreeEntry, atimeNs: bigint): void {
  setOwner(entry, () => sys.fchown(fd, entry.uid, entry.gid));
  sys.fchmod(fd, entry.mode);
  setXattrs(entry.path, entry.xattrs, (name, value) => sys.fsetxattr(fd, name, value));
  sys.futimens(fd, atimeNs, entry.mtimeNs);
}

/** The same for a link, FIFO or device, which cannot be opened, just made as `name` in an open directory. */
export function setMetadataAt(directory: number, name: Buffer, entry: TreeEntry, atimeNs: bigint): void {
  setOwner(entry, () => sys.lchownat(directory, name, entry.uid, entry.gid));
  if (entry.type !== "symlink") {
    // chmod(2) follows links; a handle on the node itself cannot be led elsewhere.
    const node = sys.openat(directory, name, sys.O.PATH | sys.O.NOFOLLOW);
    try {
      chmodSync(`/proc/self/fd/${node}`, entry.mode);
    } finally {
      sys.close(node);
    }
  }
  const path = Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), name]);
  setXattrs(entry.path, entry.xattrs, (attribute, value) => sys.lsetxattr(path, attribute, value));
  sys.lutimensat(directory, name, atimeNs, entry.mtimeNs);
}

function setOwner(entry: TreeEntry, set: () => void): void {
  try {
    set();
  } catch (error) {
    const code = errnoOf(error);
    if (code !== "EPERM" && code !== "EINVAL") throw error;
    throw new ConvoyError(
      "UNSUPPORTED",
      `The owner ${entry.uid}:${entry.gid} of ${shown(entry.path)} cannot be set here (${code})`,
      {
        hint: "Restore as root, to a file system that keeps owners (NFS: exported with no_root_squash).",
        cause: error,
      },
    );
  }
}

export function setXattrs(path: Buffer, xattrs: Xattrs, set: (name: string, value: Buffer) => void): void {
  for (const [name, value] of xattrs ?? []) {
    try {
      set(name, value);
    } catch (error) {
      const code = errnoOf(error);
      if (HOST_LABELS.has(name) && code !== "ENOSPC" && code !== "EIO") continue;
      if (code !== "EOPNOTSUPP" && code !== "EPERM" && code !== "EINVAL") throw error;
      const what = name.startsWith("system.posix_acl") ? "access control list" : "extended attribute";
      throw new ConvoyError("UNSUPPORTED", `The ${what} ${name} of ${shown(path)} cannot be set here (${code})`, {
        hint: "Restore to a file system that keeps extended attributes and access control lists.",
        cause: error,
      });
    }
  }
}
