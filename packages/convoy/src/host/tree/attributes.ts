import { chmodSync } from "node:fs";
import { ConvoyError, errnoOf } from "../../errors.ts";
import * as sys from "../sys.ts";
import { shown } from "./walk.ts";

/** What every entry but its content consists of. */
export interface Attributes {
  /** 07777. */
  mode: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  xattrs: sys.Xattrs;
}

export function attributesOf(stat: sys.Stat, xattrs: sys.Xattrs): Attributes {
  const { uid, gid, mtimeNs } = stat;
  return { mode: stat.mode & 0o7777, uid, gid, mtimeNs, xattrs };
}

function cannotOwn(attributes: Attributes, path: Buffer, cause: unknown): unknown {
  if (errnoOf(cause) !== "EPERM" && errnoOf(cause) !== "EINVAL") return cause;
  const owner = `${attributes.uid}:${attributes.gid}`;
  return new ConvoyError(
    "UNSUPPORTED",
    `'${shown(path)}' belongs to ${owner}, and its copy cannot: ${errnoOf(cause)}`,
    {
      cause,
      hint: "Run the daemon as root, and export a network share with no_root_squash.",
    },
  );
}

function cannotKeep(name: string, path: Buffer, cause: unknown): unknown {
  if (errnoOf(cause) !== "EOPNOTSUPP" && errnoOf(cause) !== "EPERM") return cause;
  return new ConvoyError("UNSUPPORTED", `the attribute ${name} of '${shown(path)}' cannot be kept: ${errnoOf(cause)}`, {
    cause,
    hint: "The snapshot's file system must support extended attributes and ACLs as the volume's does.",
  });
}

/**
 * Gives an open file or directory its attributes; times last, so call it when the content is complete. A change of the
 * owner clears set-uid bits and capabilities, an ACL changes the mode: hence the order.
 * @param present what `fd` is now: what is right already is not written again (each is a transaction on the disk)
 */
export function applyAttributes(fd: number, attributes: Attributes, present: sys.Stat, path: Buffer): void {
  const isOwnerRight = present.uid === attributes.uid && present.gid === attributes.gid;
  if (!isOwnerRight) {
    try {
      sys.fchown(fd, attributes.uid, attributes.gid);
    } catch (error) {
      throw cannotOwn(attributes, path, error);
    }
  }
  for (const [name, value] of attributes.xattrs) {
    try {
      sys.fsetxattr(fd, name, value);
    } catch (error) {
      throw cannotKeep(name, path, error);
    }
  }
  const isModeRight = isOwnerRight && attributes.xattrs.size === 0 && (present.mode & 0o7777) === attributes.mode;
  if (!isModeRight) sys.fchmod(fd, attributes.mode);
  sys.futimens(fd, attributes.mtimeNs, attributes.mtimeNs);
}

/** The same for a link, FIFO or device node that was just made and cannot be opened for that. */
export function applyAttributesAt(dirfd: number, name: Buffer, attributes: Attributes, path: Buffer): void {
  try {
    sys.lchownat(dirfd, name, attributes.uid, attributes.gid);
  } catch (error) {
    throw cannotOwn(attributes, path, error);
  }
  const handle = sys.openat(dirfd, name, sys.O.PATH | sys.O.NOFOLLOW);
  try {
    const isLink = (sys.fstat(handle).mode & sys.S.IFMT) === sys.S.IFLNK;
    for (const [key, value] of attributes.xattrs) {
      try {
        sys.lsetxattr(handlePathAt(dirfd, name), key, value);
      } catch (error) {
        throw cannotKeep(key, path, error);
      }
    }
    if (!isLink) chmodSync(`/proc/self/fd/${handle}`, attributes.mode);
  } finally {
    sys.close(handle);
  }
  sys.lutimensat(dirfd, name, attributes.mtimeNs, attributes.mtimeNs);
}

/** A path for the calls that take no directory handle. */
export function handlePathAt(dirfd: number, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${dirfd}/`), name]);
}

/** Takes away what a new directory inherited from where it lies, so that nothing below inherits it. */
export function dropInherited(fd: number): void {
  for (const name of sys.fxattrs(fd).keys()) {
    if (name.startsWith("system.posix_acl_")) sys.fremovexattr(fd, name);
  }
}
