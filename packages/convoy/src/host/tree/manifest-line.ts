import { ConvoyError } from "../../errors.ts";
import type { TreeEntry } from "./entry.ts";

/** What the source looked like when the entry was copied; an incremental snapshot compares it later. */
export interface SourceStat {
  ino: bigint;
  ctimeNs: bigint;
  nlink: number;
}

export interface ManifestEntry extends TreeEntry {
  source?: SourceStat;
}

/** Longest line that is written or read. The largest real ones are files with many 64 KiB extended attributes. */
export const MAX_LINE_BYTES = 16 << 20;

const TYPES = ["directory", "file", "symlink", "fifo", "character", "block"] as const;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes that are UTF-8 stand readable under `key`, others as base64 under `<key>64`. */
function encodeBytes(key: string, bytes: Buffer): Record<string, string> {
  try {
    return { [key]: utf8.decode(bytes) };
  } catch {
    return { [`${key}64`]: bytes.toString("base64") };
  }
}

/** One entry as a line of JSON without the line feed. */
export function encodeEntry(entry: ManifestEntry): string {
  const { path, target, hardLinkTo, device, xattrs, source } = entry;
  return JSON.stringify({
    ...encodeBytes("path", path),
    type: entry.type,
    mode: entry.mode.toString(8).padStart(4, "0"),
    uid: entry.uid,
    gid: entry.gid,
    mtimeNs: entry.mtimeNs.toString(),
    size: entry.size,
    ...(target && encodeBytes("target", target)),
    ...(device && { device: [device.major, device.minor] }),
    ...(xattrs && { xattrs: [...xattrs].map(([name, value]) => [name, value.toString("base64")]) }),
    ...(hardLinkTo && encodeBytes("hardLinkTo", hardLinkTo)),
    ...(entry.sparse && { sparse: true }),
    ...(entry.checksum !== undefined && { checksum: entry.checksum }),
    ...(source && {
      source: { ino: source.ino.toString(), ctimeNs: source.ctimeNs.toString(), nlink: source.nlink },
    }),
  });
}

type Fields = Record<string, unknown>;

function wrong(field: string, value: unknown, allowed: string): ConvoyError {
  const shown = JSON.stringify(value)?.slice(0, 200);
  return new ConvoyError("FORGED", `the manifest's field '${field}' is ${shown}, but must be ${allowed}`);
}

function integer(fields: Fields, field: string, max: number): number {
  const value = fields[field];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
  throw wrong(field, value, `a whole number from 0 to ${max}`);
}

function bigInteger(fields: Fields, field: string): bigint {
  const value = fields[field];
  if (typeof value === "string" && /^-?[0-9]{1,20}$/.test(value)) return BigInt(value);
  throw wrong(field, value, "a whole number as text");
}

function text(fields: Fields, field: string, pattern: RegExp, allowed: string): string {
  const value = fields[field];
  if (typeof value === "string" && pattern.test(value)) return value;
  throw wrong(field, value, allowed);
}

function bytes(fields: Fields, field: string): Buffer | undefined {
  const value = fields[field];
  const encoded = fields[`${field}64`];
  if (value === undefined && encoded === undefined) return undefined;
  if (typeof value === "string" && encoded === undefined && value.isWellFormed()) return Buffer.from(value);
  if (typeof encoded === "string" && value === undefined) return base64(field, encoded);
  throw wrong(field, value ?? encoded, "text, or base64 in the field with 64 at its end");
}

function base64(field: string, value: unknown): Buffer {
  if (typeof value === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(value) && value.length % 4 === 0) {
    return Buffer.from(value, "base64");
  }
  throw wrong(field, value, "base64");
}

/** A path below the root: no absolute path, no empty, `.` or `..` part, no NUL. */
function treePath(fields: Fields, field: string): Buffer | undefined {
  const path = bytes(fields, field);
  if (path === undefined || path.length === 0) return path;
  const parts = path.toString("latin1").split("/");
  if (path.includes(0) || parts.some((part) => part === "" || part === "." || part === "..")) {
    throw wrong(field, path.toString(), "a path below the tree's root without '.', '..', empty or NUL parts");
  }
  return path;
}

function xattrsOf(value: unknown): Map<string, Buffer> {
  const allowed = "a list of pairs of a name and a base64 value";
  if (!Array.isArray(value)) throw wrong("xattrs", value, allowed);
  const result = new Map<string, Buffer>();
  for (const pair of value as unknown[]) {
    if (!Array.isArray(pair) || pair.length !== 2) throw wrong("xattrs", value, allowed);
    const [name, encoded] = pair as [unknown, unknown];
    if (typeof name !== "string" || name === "" || name.length > 255 || name.includes("\0")) {
      throw wrong("xattrs", name, "an attribute's name");
    }
    result.set(name, base64("xattrs", encoded));
  }
  return result;
}

function deviceOf(value: unknown): { major: number; minor: number } {
  if (!Array.isArray(value) || value.length !== 2) throw wrong("device", value, "a pair of numbers");
  const [major, minor] = value as [unknown, unknown];
  return { major: integer({ major }, "major", 0xfffff), minor: integer({ minor }, "minor", 0xffffffff) };
}

function sourceOf(value: unknown): SourceStat {
  if (typeof value !== "object" || value === null) throw wrong("source", value, "an object");
  const fields = value as Fields;
  return {
    ino: bigInteger(fields, "ino"),
    ctimeNs: bigInteger(fields, "ctimeNs"),
    nlink: integer(fields, "nlink", 0xffffffff),
  };
}

/**
 * Checks one parsed line (R31: manifests lie in shared trees).
 * @throws FORGED naming the field, its value and what is allowed
 */
export function decodeEntry(fields: Fields): ManifestEntry {
  const path = treePath(fields, "path");
  if (path === undefined) throw wrong("path", undefined, "there");
  const type = TYPES.find((known) => known === fields["type"]);
  if (type === undefined) throw wrong("type", fields["type"], `one of ${TYPES.join(", ")}`);
  const entry: ManifestEntry = {
    path,
    type,
    mode: Number.parseInt(text(fields, "mode", /^[0-7]{4}$/, "four octal digits"), 8),
    uid: integer(fields, "uid", 0xffffffff),
    gid: integer(fields, "gid", 0xffffffff),
    mtimeNs: bigInteger(fields, "mtimeNs"),
    size: integer(fields, "size", type === "file" ? Number.MAX_SAFE_INTEGER : 0),
  };
  const hardLinkTo = treePath(fields, "hardLinkTo");
  if (hardLinkTo !== undefined) {
    if (type === "directory" || hardLinkTo.length === 0)
      throw wrong("hardLinkTo", hardLinkTo.toString(), "absent here");
    entry.hardLinkTo = hardLinkTo;
  }
  const target = bytes(fields, "target");
  if ((target !== undefined) !== (type === "symlink") || target?.includes(0)) {
    throw wrong("target", target?.toString(), "a link's target, on symbolic links only");
  }
  if (target !== undefined) entry.target = target;
  const isDevice = type === "character" || type === "block";
  if ((fields["device"] !== undefined) !== isDevice) throw wrong("device", fields["device"], "there on devices only");
  if (isDevice) entry.device = deviceOf(fields["device"]);
  if (fields["xattrs"] !== undefined) entry.xattrs = xattrsOf(fields["xattrs"]);
  if (fields["sparse"] !== undefined) {
    if (fields["sparse"] !== true || type !== "file") throw wrong("sparse", fields["sparse"], "true, on files only");
    entry.sparse = true;
  }
  if (fields["checksum"] !== undefined) {
    if (type !== "file") throw wrong("checksum", fields["checksum"], "absent on all but files");
    entry.checksum = text(fields, "checksum", /^[0-9a-f]{64}$/, "64 hex digits");
  }
  if (fields["source"] !== undefined) entry.source = sourceOf(fields["source"]);
  return entry;
}
