import { createHash } from "node:crypto";
import {
  chmod,
  chown,
  link,
  lstat,
  lutimes,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { run, succeed } from "./run.ts";

/** A name that is no UTF-8, as old programs leave them. */
export const RAW_NAME = Buffer.from([0x6e, 0xff, 0xfe, 0x65]);

/**
 * Fills an existing directory with everything that a volume may hold: owners, modes with setuid and sticky bits,
 * nanosecond times, extended attributes, ACLs, hard links, holes, symbolic links (also dangling and absolute), a FIFO,
 * device nodes, long and odd names, empty files and directories. Needs root, `setfattr` and `setfacl`.
 */
export async function fillRichTree(root: string): Promise<void> {
  await mkdir(join(root, "etc/deep/er"), { recursive: true });
  await mkdir(join(root, "empty-dir"));
  await writeFile(join(root, "etc/plain.txt"), "plain text\n");
  await writeFile(join(root, "etc/empty"), "");
  await writeFile(join(root, "etc/deep/er/data.bin"), pattern(3 * 1024 * 1024 + 17, 7));
  await writeFile(join(root, "etc/owned"), "owned\n");
  await chown(join(root, "etc/owned"), 12345, 54321);
  await writeFile(join(root, "etc/setuid"), "#!\n");
  await chmod(join(root, "etc/setuid"), 0o4755);
  await mkdir(join(root, "sticky"));
  await chmod(join(root, "sticky"), 0o1777);
  await writeFile(join(root, "etc/secret"), "no access\n", { mode: 0o000 });
  await link(join(root, "etc/plain.txt"), join(root, "hard-link"));
  await link(join(root, "etc/plain.txt"), join(root, "sticky/hard-link-2"));
  await symlink("etc/plain.txt", join(root, "link-relative"));
  await symlink("/etc/passwd", join(root, "link-absolute"));
  await symlink("../../nowhere", join(root, "link-dangling"));
  await writeFile(join(root, "n".repeat(255)), "long name\n");
  await writeFile(join(root, "blank and\nnewline 'quote' \\ ünï"), "odd name\n");
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), RAW_NAME]), "raw name\n");
  await writeHoles(join(root, "holes.img"));
  await succeed("mkfifo", [join(root, "fifo")]);
  await succeed("mknod", [join(root, "null-device"), "c", "1", "3"]);
  await succeed("mknod", [join(root, "block-device"), "b", "7", "200"]);
  await succeed("setfattr", ["-n", "user.note", "-v", "kept", join(root, "etc/plain.txt")]);
  await succeed("setfattr", ["-n", "user.binary", "-v", "0x00ff10", join(root, "etc/deep")]);
  await succeed("setfattr", ["-n", "trusted.root", "-v", "only", join(root, "etc/owned")]);
  await succeed("setfacl", ["-m", "u:4711:rw,g:4712:r", join(root, "etc/owned")]);
  await succeed("setfacl", ["-d", "-m", "u:4711:rwx", join(root, "etc/deep")]);
  await lutimes(join(root, "link-relative"), 1_000_000_000.25, 1_000_000_000.25);
  await utimes(join(root, "etc/plain.txt"), 1_111_111_111, 1_111_111_111);
  await succeed("touch", ["-d", "2001-09-09T01:46:40.123456789Z", join(root, "etc/owned")]);
  await succeed("touch", ["-d", "1969-12-31T23:59:58.5Z", join(root, "etc/empty")]);
  await succeed("touch", ["-d", "2010-10-10T10:10:10.101010101Z", join(root, "empty-dir")]);
}

/** A socket, which no snapshot keeps. @returns how to close it; the file stays. */
export async function makeSocket(path: string): Promise<() => Promise<void>> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(path, resolve));
  return () => new Promise((resolve) => server.close(() => resolve()));
}

/** Data at the front, in the middle and a hole at the end: 64 MiB of which about 12 KiB are stored. */
async function writeHoles(path: string): Promise<void> {
  const handle = await open(path, "w");
  try {
    await handle.write(Buffer.alloc(4096, "a"), 0, 4096, 0);
    await handle.write(Buffer.alloc(5000, "b"), 0, 5000, 32 << 20);
    await handle.truncate(64 << 20);
  } finally {
    await handle.close();
  }
}

/** Bytes that depend on the seed only and do not compress. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = (seed * 2654435761) >>> 0 || 1;
  for (let at = 0; at < length; at += 1) {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    bytes[at] = state & 0xff;
  }
  return bytes;
}

const BILLION = 1_000_000_000n;

export interface DescribeOptions {
  /** Archives of tar's oldest kinds keep whole seconds only. */
  wholeSeconds?: boolean;
  /** Without extended attributes and ACLs. */
  noXattrs?: boolean;
  /** Without saying whether a file has holes. */
  noHoles?: boolean;
}

/**
 * Everything about a tree that a backup has to bring back, as one line of text per path, so that two trees are equal
 * exactly when the maps are, and a difference reads well. Uses none of the product's own code.
 * Sockets are left out. Paths are given byte by byte (latin1), because names need not be UTF-8.
 */
export async function describeTree(root: string, options: DescribeOptions = {}): Promise<Map<string, string>> {
  const lines = new Map<string, string>();
  const inodes = new Map<bigint, string>();
  const visit = async (path: Buffer, name: string): Promise<void> => {
    const stats = await lstat(path, { bigint: true });
    const kind = Number(stats.mode) & 0o170000;
    if (kind === 0o140000) return;
    // Whole seconds are cut downwards, before 1970 as well.
    const fraction = ((stats.mtimeNs % BILLION) + BILLION) % BILLION;
    const mtime = options.wholeSeconds ? (stats.mtimeNs - fraction) / BILLION : stats.mtimeNs;
    let line = `mode=${(Number(stats.mode) >>> 0).toString(8)} owner=${stats.uid}:${stats.gid} mtime=${mtime}`;
    if (kind === 0o100000) {
      const first = inodes.get(stats.ino);
      if (stats.nlink > 1n && first !== undefined) line += ` same-as=${first}`;
      inodes.set(stats.ino, first ?? name);
      line += ` size=${stats.size} sha256=${createHash("sha256")
        .update(await readFile(path))
        .digest("hex")}`;
      if (!options.noHoles) line += ` holes=${stats.blocks * 512n + 65536n < stats.size}`;
    } else if (kind === 0o120000) {
      line += ` target=${(await readlink(path, { encoding: "buffer" })).toString("latin1")}`;
    } else if (kind === 0o020000 || kind === 0o060000) {
      line += ` device=${stats.rdev}`;
    }
    lines.set(name, line);
    if (kind !== 0o040000) return;
    const names = (await readdir(path, { encoding: "buffer" })).sort(Buffer.compare);
    for (const child of names) {
      await visit(Buffer.concat([path, Buffer.from("/"), child]), `${name}/${child.toString("latin1")}`);
    }
  };
  await visit(Buffer.from(root), ".");
  if (!options.noXattrs) for (const [name, value] of await xattrsOf(root)) lines.set(`${name} [xattrs]`, value);
  return lines;
}

/** Extended attributes (ACLs are among them) as `getfattr` shows them, by path as it escapes it. */
async function xattrsOf(root: string): Promise<Map<string, string>> {
  const { stdout } = await run("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "."], { cwd: root });
  const found = new Map<string, string>();
  for (const block of stdout.split("\n\n")) {
    const [head, ...attributes] = block.split("\n").filter((line) => line !== "");
    if (head !== undefined) found.set(head.replace("# file: ", ""), attributes.sort().join(" "));
  }
  return found;
}
