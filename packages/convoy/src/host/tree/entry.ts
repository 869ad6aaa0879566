/**
 * One entry of a tree snapshot, as its manifest keeps it and as the archive writer reads it. Everything that makes up
 * the entry stands here but the file contents, so that a backup needs no second walk of the tree.
 */
export interface TreeEntry {
  /** Path below the root of the tree as raw bytes (Linux names need not be UTF-8); empty for the root itself. */
  path: Buffer;
  type: "directory" | "file" | "symlink" | "fifo" | "character" | "block";
  /** Permission bits with setuid, setgid and sticky (07777). */
  mode: number;
  uid: number;
  gid: number;
  /** Nanoseconds since 1970. */
  mtimeNs: bigint;
  /** Bytes; 0 for all but files. */
  size: number;
  /** Target of a symbolic link, raw bytes. */
  target?: Buffer;
  /** Device numbers of a character or block device. */
  device?: { major: number; minor: number };
  /** ACLs stand here as `system.posix_acl_access` and `system.posix_acl_default`. */
  xattrs?: Map<string, Buffer>;
  /** For the second and later names of one inode: the path of its first name, which comes earlier. */
  hardLinkTo?: Buffer;
  /** True if the file has holes. */
  sparse?: boolean;
  /**
   * Checksum of a file's content, 64 hex digits; left out while it is not known (reflinked and not read yet).
   * SHA-256 over the SHA-256 digests of its pieces of CHECKSUM_PIECE bytes, holes read as zeros; so that pieces of one
   * file can be read on several cores.
   */
  checksum?: string;
}

/** Bytes per piece of `TreeEntry.checksum`. */
export const CHECKSUM_PIECE = 1 << 20;
