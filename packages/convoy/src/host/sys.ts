import { constants } from "node:os";
import koffi from "koffi";

/**
 * System calls that Node.js has no functions for, made directly through glibc (x86_64 and aarch64 Linux). All are
 * synchronous: use them on the daemon's main thread only where they cannot wait for a disk or a network (`flockAsync`
 * is for files on shares); the tree work runs in worker threads. Failures throw an Error with `code` (errno name),
 * `errno` and `syscall`, like Node's own.
 *
 * Paths are strings (UTF-8) or Buffers (raw bytes: Linux file names need not be UTF-8). `dirfd` is an open directory
 * or AT_FDCWD; no function follows a link in the last part of a path unless it says so.
 */
export type Path = string | Buffer;

export const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;

export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  NONBLOCK: 0o4000,
  // These differ between x86_64 and aarch64 (asm-generic swaps them).
  DIRECTORY: process.arch === "arm64" ? 0o40000 : 0o200000,
  NOFOLLOW: process.arch === "arm64" ? 0o100000 : 0o400000,
  CLOEXEC: 0o2000000,
  NOATIME: 0o1000000,
  PATH: 0o10000000,
} as const;

/** openat2(2) `resolve`: stay below the directory, follow no link at all, cross no magic link. */
const RESOLVE_BENEATH_NO_LINKS = 0x08 | 0x04 | 0x02;

const libc = koffi.load("libc.so.6");
const c = {
  openat: libc.func("int openat(int, const void*, int, unsigned int)"),
  syscall4: libc.func("long syscall(long, int, const void*, void*, size_t)"),
  close: libc.func("int close(int)"),
  statx: libc.func("int statx(int, const void*, int, unsigned int, void*)"),
  mkdirat: libc.func("int mkdirat(int, const void*, unsigned int)"),
  mknodat: libc.func("int mknodat(int, const void*, unsigned int, uint64_t)"),
  symlinkat: libc.func("int symlinkat(const void*, int, const void*)"),
  readlinkat: libc.func("int64_t readlinkat(int, const void*, void*, size_t)"),
  linkat: libc.func("int linkat(int, const void*, int, const void*, int)"),
  unlinkat: libc.func("int unlinkat(int, const void*, int)"),
  renameat2: libc.func("int renameat2(int, const void*, int, const void*, unsigned int)"),
  fchownat: libc.func("int fchownat(int, const void*, unsigned int, unsigned int, int)"),
  fchown: libc.func("int fchown(int, unsigned int, unsigned int)"),
  fchmod: libc.func("int fchmod(int, unsigned int)"),
  utimensat: libc.func("int utimensat(int, const void*, const void*, int)"),
  futimens: libc.func("int futimens(int, const void*)"),
  fsync: libc.func("int fsync(int)"),
  syncfs: libc.func("int syncfs(int)"),
  flock: libc.func("int flock(int, int)"),
  lseek: libc.func("int64_t lseek(int, int64_t, int)"),
  ftruncate: libc.func("int ftruncate(int, int64_t)"),
  ioctlInt: libc.func("int ioctl(int, unsigned long, int)"),
  syncFileRange: libc.func("int sync_file_range(int, int64_t, int64_t, unsigned int)"),
  getdents64: libc.func("int64_t getdents64(int, void*, size_t)"),
  copyFileRange: libc.func("int64_t copy_file_range(int, void*, int, void*, size_t, unsigned int)"),
  fstatfs: libc.func("int fstatfs(int, void*)"),
  flistxattr: libc.func("int64_t flistxattr(int, void*, size_t)"),
  fgetxattr: libc.func("int64_t fgetxattr(int, const void*, void*, size_t)"),
  fsetxattr: libc.func("int fsetxattr(int, const void*, const void*, size_t, int)"),
  fremovexattr: libc.func("int fremovexattr(int, const void*)"),
  llistxattr: libc.func("int64_t llistxattr(const void*, void*, size_t)"),
  lgetxattr: libc.func("int64_t lgetxattr(const void*, const void*, void*, size_t)"),
  lsetxattr: libc.func("int lsetxattr(const void*, const void*, const void*, size_t, int)"),
};

const errnoNames = new Map<number, string>(Object.entries(constants.errno).map(([name, number]) => [number, name]));

function failed(syscall: string, path?: Path): Error {
  const errno = koffi.errno();
  const code = errnoNames.get(errno) ?? `E${errno}`;
  const where = path === undefined ? "" : ` '${path.toString()}'`;
  return Object.assign(new Error(`${code}: ${syscall}${where}`), { code, errno, syscall });
}

function check(result: number, syscall: string, path?: Path): number {
  if (result < 0) throw failed(syscall, path);
  return result;
}

function z(path: Path): Buffer {
  if (path.includes("\0")) throw Object.assign(new Error("EINVAL: a path with a NUL byte"), { code: "EINVAL" });
  if (typeof path === "string") return Buffer.from(`${path}\0`);
  const bytes = Buffer.allocUnsafe(path.length + 1);
  bytes.set(path);
  bytes[path.length] = 0;
  return bytes;
}

/** open(2) relative to a directory. O_CLOEXEC is always set; add O.NOFOLLOW yourself where it matters. */
export function openat(dirfd: number, path: Path, flags: number, mode = 0o600): number {
  return check(c.openat(dirfd, z(path), flags | O.CLOEXEC, mode), "openat", path);
}

/** openat2(2): like openat, but refuses every link on the way and every escape above `dirfd` (ELOOP, EXDEV). */
export function openBeneath(dirfd: number, path: Path, flags: number, mode = 0): number {
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O.CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(flags & O.CREAT ? mode : 0), 8);
  how.writeBigUInt64LE(BigInt(RESOLVE_BENEATH_NO_LINKS), 16);
  return check(Number(c.syscall4(437, dirfd, z(path), how, how.length)), "openat2", path);
}

export function close(fd: number): void {
  check(c.close(fd), "close");
}

/** What statx(2) tells. Times are nanoseconds since 1970. */
export interface Stat {
  /** S_IFMT and permission bits. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  ino: bigint;
  /** Bytes. */
  size: number;
  /** Units of 512 bytes. */
  blocks: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  atimeNs: bigint;
  devMajor: number;
  devMinor: number;
  rdevMajor: number;
  rdevMinor: number;
  /** When the inode was made; 0n where the file system does not tell. */
  birthNs: bigint;
  /** Which mount the file was reached through (bind mounts of one device differ); 0n before Linux 5.8. */
  mountId: bigint;
}

export const S = {
  IFMT: 0o170000,
  IFSOCK: 0o140000,
  IFLNK: 0o120000,
  IFREG: 0o100000,
  IFBLK: 0o060000,
  IFDIR: 0o040000,
  IFCHR: 0o020000,
  IFIFO: 0o010000,
} as const;

const statBuffer = Buffer.alloc(256);

function decodeTime(at: number): bigint {
  return statBuffer.readBigInt64LE(at) * 1_000_000_000n + BigInt(statBuffer.readUInt32LE(at + 8));
}

const STATX_BASIC_STATS = 0x7ff;
const STATX_BTIME = 0x800;
const STATX_MNT_ID = 0x1000;
const STATX_WANTED = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;

function decodeStat(): Stat {
  const b = statBuffer;
  const mask = b.readUInt32LE(0);
  return {
    nlink: b.readUInt32LE(16),
    uid: b.readUInt32LE(20),
    gid: b.readUInt32LE(24),
    mode: b.readUInt16LE(28),
    ino: b.readBigUInt64LE(32),
    size: Number(b.readBigUInt64LE(40)),
    blocks: Number(b.readBigUInt64LE(48)),
    atimeNs: decodeTime(64),
    ctimeNs: decodeTime(96),
    mtimeNs: decodeTime(112),
    rdevMajor: b.readUInt32LE(128),
    rdevMinor: b.readUInt32LE(132),
    devMajor: b.readUInt32LE(136),
    devMinor: b.readUInt32LE(140),
    birthNs: mask & STATX_BTIME ? decodeTime(80) : 0n,
    mountId: mask & STATX_MNT_ID ? b.readBigUInt64LE(144) : 0n,
  };
}

export function lstatat(dirfd: number, path: Path): Stat {
  check(c.statx(dirfd, z(path), AT_SYMLINK_NOFOLLOW, STATX_WANTED, statBuffer), "statx", path);
  return decodeStat();
}

const EMPTY = Buffer.of(0);

export function fstat(fd: number): Stat {
  check(c.statx(fd, EMPTY, AT_EMPTY_PATH, STATX_WANTED, statBuffer), "statx");
  return decodeStat();
}

export function mkdirat(dirfd: number, path: Path, mode: number): void {
  check(c.mkdirat(dirfd, z(path), mode), "mkdirat", path);
}

/** Makes a FIFO, socket or device node; `mode` holds the type (S.IF…) and the permissions. */
export function mknodat(dirfd: number, path: Path, mode: number, major: number, minor: number): void {
  // makedev(3) of glibc.
  const dev =
    (BigInt(major & 0xfffff000) << 32n) |
    (BigInt(major & 0xfff) << 8n) |
    (BigInt(minor & 0xffffff00) << 12n) |
    BigInt(minor & 0xff);
  check(c.mknodat(dirfd, z(path), mode, dev), "mknodat", path);
}

export function symlinkat(target: Path, dirfd: number, path: Path): void {
  check(c.symlinkat(z(target), dirfd, z(path)), "symlinkat", path);
}

export function readlinkat(dirfd: number, path: Path): Buffer {
  const buffer = Buffer.alloc(4097);
  const length = check(Number(c.readlinkat(dirfd, z(path), buffer, buffer.length)), "readlinkat", path);
  return buffer.subarray(0, length);
}

export function linkat(fromDir: number, from: Path, toDir: number, to: Path): void {
  check(c.linkat(fromDir, z(from), toDir, z(to), 0), "linkat", to);
}

export function unlinkat(dirfd: number, path: Path): void {
  check(c.unlinkat(dirfd, z(path), 0), "unlinkat", path);
}

export function rmdirat(dirfd: number, path: Path): void {
  check(c.unlinkat(dirfd, z(path), AT_REMOVEDIR), "rmdir", path);
}

const RENAME_NOREPLACE = 1;

/** rename(2). With `noReplace` an existing target is EEXIST; where the file system cannot do that, EINVAL. */
export function renameat(fromDir: number, from: Path, toDir: number, to: Path, noReplace = false): void {
  check(c.renameat2(fromDir, z(from), toDir, z(to), noReplace ? RENAME_NOREPLACE : 0), "renameat2", to);
}

export function lchownat(dirfd: number, path: Path, uid: number, gid: number): void {
  check(c.fchownat(dirfd, z(path), uid, gid, AT_SYMLINK_NOFOLLOW), "fchownat", path);
}

export function fchown(fd: number, uid: number, gid: number): void {
  check(c.fchown(fd, uid, gid), "fchown");
}

export function fchmod(fd: number, mode: number): void {
  check(c.fchmod(fd, mode), "fchmod");
}

const timesBuffer = Buffer.alloc(32);

function encodeTimes(atimeNs: bigint, mtimeNs: bigint): Buffer {
  const put = (at: number, ns: bigint) => {
    const rest = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
    timesBuffer.writeBigInt64LE((ns - rest) / 1_000_000_000n, at);
    timesBuffer.writeBigInt64LE(rest, at + 8);
  };
  put(0, atimeNs);
  put(16, mtimeNs);
  return timesBuffer;
}

export function lutimensat(dirfd: number, path: Path, atimeNs: bigint, mtimeNs: bigint): void {
  check(c.utimensat(dirfd, z(path), encodeTimes(atimeNs, mtimeNs), AT_SYMLINK_NOFOLLOW), "utimensat", path);
}

export function futimens(fd: number, atimeNs: bigint, mtimeNs: bigint): void {
  check(c.futimens(fd, encodeTimes(atimeNs, mtimeNs)), "futimens");
}

export function fsync(fd: number): void {
  check(c.fsync(fd), "fsync");
}

/** Writes everything of the file system that `fd` is on to its disk. May take long: worker threads only. */
export function syncfs(fd: number): void {
  check(c.syncfs(fd), "syncfs");
}

/** syncfs on libuv's thread pool. */
export function syncfsAsync(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    c.syncfs.async(fd, (error: unknown, result: number) => {
      // errno of the other thread is not known here; EIO is the documented failure (syncfs(2)).
      if (error || result < 0) {
        reject(error ?? Object.assign(new Error("EIO: syncfs"), { code: "EIO", syscall: "syncfs" }));
      } else resolve();
    });
  });
}

const LOCK_EX = 2;
const LOCK_NB = 4;
const LOCK_UN = 8;

/**
 * Takes an exclusive flock(2) without waiting, on libuv's thread pool (a share may be slow).
 * @returns false if somebody else holds it (or, as flock tells only success on another thread, on any failure).
 */
export function tryFlock(fd: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    c.flock.async(fd, LOCK_EX | LOCK_NB, (error: unknown, result: number) => {
      if (error) reject(error);
      else resolve(result === 0);
    });
  });
}

export function funlock(fd: number): void {
  check(c.flock(fd, LOCK_UN), "flock");
}

/** One name in a directory. */
export interface DirEntry {
  /** Raw bytes. */
  name: Buffer;
  /** An S.IF… value, or 0 where the file system does not tell. */
  type: number;
}

const direntBuffer = Buffer.alloc(65536);

/**
 * All names in the directory `fd` but `.` and `..`, in the file system's order (getdents64(2)), from the descriptor's
 * position on: open the directory anew, or call `rewindDirectory`, to read it again.
 */
export function readDirectory(fd: number): DirEntry[] {
  const entries: DirEntry[] = [];
  for (;;) {
    const length = check(Number(c.getdents64(fd, direntBuffer, direntBuffer.length)), "getdents64");
    if (length === 0) return entries;
    for (let at = 0; at < length; at += direntBuffer.readUInt16LE(at + 16)) {
      const start = at + 19;
      const end = direntBuffer.indexOf(0, start);
      const dots = end - start;
      if (direntBuffer[start] === 0x2e && (dots === 1 || (dots === 2 && direntBuffer[start + 1] === 0x2e))) continue;
      // DT_… are the type bits of st_mode shifted down (readdir(3)).
      entries.push({ name: Buffer.from(direntBuffer.subarray(start, end)), type: direntBuffer[at + 18]! << 12 });
    }
  }
}

export function rewindDirectory(fd: number): void {
  check(Number(c.lseek(fd, 0, 0)), "lseek");
}

const SYNC_FILE_RANGE_WRITE = 2;

/**
 * Starts writing the range to disk and does not wait for it (sync_file_range(2)): a hint that shortens a later sync,
 * and no promise. Where the file system cannot do that, nothing happens.
 */
export function startWriteback(fd: number, offset: number, length: number): void {
  c.syncFileRange(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/**
 * The next range of data at or after `offset`; undefined when only a hole follows. File systems without holes answer
 * one range up to the end of the file.
 */
export function nextData(fd: number, offset: number, size: number): { start: number; end: number } | undefined {
  const start = Number(c.lseek(fd, offset, SEEK_DATA));
  if (start < 0) {
    if (koffi.errno() === constants.errno.ENXIO) return undefined;
    if (koffi.errno() === constants.errno.EINVAL) return offset < size ? { start: offset, end: size } : undefined;
    throw failed("lseek");
  }
  return { start, end: check(Number(c.lseek(fd, start, SEEK_HOLE)), "lseek") };
}

export function ftruncate(fd: number, size: number): void {
  check(c.ftruncate(fd, size), "ftruncate");
}

const FICLONE = 0x40049409;

/**
 * Makes `to` share the blocks of `from` (FICLONE).
 * @returns false where the file system cannot do that; other failures (no space, …) throw.
 */
export function reflink(from: number, to: number): boolean {
  if (c.ioctlInt(to, FICLONE, from) === 0) return true;
  const code = errnoNames.get(koffi.errno());
  if (code === "EOPNOTSUPP" || code === "ENOTTY" || code === "EXDEV" || code === "EINVAL" || code === "ENOSYS")
    return false;
  throw failed("ioctl FICLONE");
}

/** Copies up to `length` bytes between the files' own positions, inside the kernel. @returns bytes copied, 0 at the end. */
export function copyFileRange(from: number, to: number, length: number): number {
  return check(Number(c.copyFileRange(from, null, to, null, length, 0)), "copy_file_range");
}

export interface FileSystemInfo {
  /** Magic number of statfs(2). */
  type: number;
  blockSize: number;
  /** Bytes free for root, and for others. */
  freeBytes: number;
  availableBytes: number;
}

export function fstatfs(fd: number): FileSystemInfo {
  const b = Buffer.alloc(120);
  check(c.fstatfs(fd, b), "fstatfs");
  const blockSize = Number(b.readBigInt64LE(8));
  return {
    type: Number(b.readBigInt64LE(0) & 0xffffffffn),
    blockSize,
    freeBytes: Number(b.readBigUInt64LE(24)) * blockSize,
    availableBytes: Number(b.readBigUInt64LE(32)) * blockSize,
  };
}

/** Extended attributes by name. Names are ASCII in practice; values are bytes. */
export type Xattrs = Map<string, Buffer>;

let xattrBuffer = Buffer.alloc(4096);

function grow(): boolean {
  // The kernel's limit for one list and for one value is 64 KiB.
  if (xattrBuffer.length > 65536) return false;
  xattrBuffer = Buffer.alloc(131072);
  return true;
}

function readXattrs(list: (b: Buffer) => number, get: (name: Buffer, b: Buffer) => number): Xattrs {
  const result: Xattrs = new Map();
  let length = list(xattrBuffer);
  if (length < 0 && koffi.errno() === constants.errno.ERANGE && grow()) length = list(xattrBuffer);
  if (length < 0) {
    if (koffi.errno() === constants.errno.EOPNOTSUPP) return result;
    throw failed("listxattr");
  }
  if (length === 0) return result;
  const names = xattrBuffer.toString("latin1", 0, length - 1).split("\0");
  for (const name of names) {
    const nameZ = z(Buffer.from(name, "latin1"));
    let size = get(nameZ, xattrBuffer);
    if (size < 0 && koffi.errno() === constants.errno.ERANGE && grow()) size = get(nameZ, xattrBuffer);
    if (size < 0) {
      if (koffi.errno() === constants.errno.ENODATA) continue;
      throw failed("getxattr", name);
    }
    result.set(name, Buffer.from(xattrBuffer.subarray(0, size)));
  }
  return result;
}

/** All extended attributes of an open file or directory (ACLs are `system.posix_acl_*`); empty where unsupported. */
export function fxattrs(fd: number): Xattrs {
  return readXattrs(
    (b) => Number(c.flistxattr(fd, b, b.length)),
    (name, b) => Number(c.fgetxattr(fd, name, b, b.length)),
  );
}

/** The same for a link, FIFO or device, which cannot be opened; `path` may be a /proc/self/fd path. */
export function lxattrs(path: Path): Xattrs {
  const pathZ = z(path);
  return readXattrs(
    (b) => Number(c.llistxattr(pathZ, b, b.length)),
    (name, b) => Number(c.lgetxattr(pathZ, name, b, b.length)),
  );
}

export function fsetxattr(fd: number, name: string, value: Buffer): void {
  check(c.fsetxattr(fd, z(Buffer.from(name, "latin1")), value, value.length, 0), "fsetxattr", name);
}

export function fremovexattr(fd: number, name: string): void {
  check(c.fremovexattr(fd, z(Buffer.from(name, "latin1"))), "fremovexattr", name);
}

export function lsetxattr(path: Path, name: string, value: Buffer): void {
  check(c.lsetxattr(z(path), z(Buffer.from(name, "latin1")), value, value.length, 0), "lsetxattr", name);
}
