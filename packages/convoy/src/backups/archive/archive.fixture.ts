import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { requireOrSkip, skipFor } from "../../../../../test/lab/apt.ts";
import { silentLog } from "../../host/log.ts";
import type { OperationContext } from "../../host/operation.ts";
import type { TreeEntry } from "../../host/tree/entry.ts";
import { readManifest } from "../../host/tree/manifest.ts";
import { snapshotTree } from "../../host/tree/snapshot.ts";
import { encodeEntry } from "./tar/encode-entry.ts";
import { BLOCK, padding } from "./tar/header.ts";

export function context(signal = new AbortController().signal): OperationContext {
  return { signal, log: silentLog(), progress: () => undefined };
}

/** Archives hold files of other users, devices and mounts. True, with the reason printed, where that cannot be tested. */
export const cannotTest =
  skipFor(process.getuid?.() === 0 ? undefined : "archives of other users' files need root") ||
  (await requireOrSkip("acl", "attr"));

/** Removes what a directory holds. */
export function empty(directory: string): void {
  for (const name of fs.readdirSync(directory)) fs.rmSync(join(directory, name), { recursive: true });
}

/** A snapshot of a directory and its entries. */
export async function snapshotOf(source: string, place: string) {
  const directory = join(place, "snapshot");
  const manifest = join(place, "manifest");
  fs.mkdirSync(directory, { mode: 0o700 });
  await snapshotTree({ source, target: directory, manifest, reflink: "never" }, context());
  return { directory, manifest };
}

export async function entriesOf(manifest: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  for await (const entry of readManifest(manifest)) entries.push(entry);
  return entries;
}

export async function* stream<T>(...parts: T[]): AsyncGenerator<T> {
  yield* parts;
}

/** The whole of a body, whose pieces are valid only until the next one is asked for. */
export async function collect(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** Bytes of one member of a hand-made archive. Names are not checked: hostile ones are what it is for. */
export function member(entry: Partial<TreeEntry> & { path: Buffer }, data = ""): Buffer {
  const full: TreeEntry = {
    type: "file",
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtimeNs: 1_000_000_000n,
    size: data.length,
    ...entry,
  };
  return Buffer.concat([encodeEntry(full).head, Buffer.from(data), Buffer.alloc(padding(data.length))]);
}

export const ROOT = member({ path: Buffer.alloc(0), type: "directory", mode: 0o755 });

/** A gzip-compressed archive of finished members, with its end mark. */
export function archiveOf(...members: Buffer[]): Buffer {
  return gzipSync(Buffer.concat([...members, Buffer.alloc(2 * BLOCK)]));
}

/** Replaces the name of a member whose headers are `from` (as hand-made tools write it), with a right checksum. */
export function renamed(from: Buffer, field: "name" | "link", name: string): Buffer {
  const block = Buffer.from(from);
  const [start, end] = field === "name" ? [0, 100] : [157, 257];
  block.fill(0, start, end).write(name, start, "latin1");
  block.fill(" ", 148, 156);
  const sum = block.subarray(0, BLOCK).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

/** A file with data at its start and far behind, and holes between and at its end. */
export function makeSparse(path: string, size: number, at: number, data: Buffer): void {
  const fd = fs.openSync(path, "w");
  fs.writeSync(fd, "start");
  fs.writeSync(fd, data, 0, data.length, at);
  fs.ftruncateSync(fd, size);
  fs.closeSync(fd);
}
