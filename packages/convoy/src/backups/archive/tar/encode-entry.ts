import { isUtf8 } from "node:buffer";
import type { TreeEntry } from "../../../host/tree/entry.ts";
import { aclToText } from "./acl.ts";
import { encodeHeader, padding, type RawHeader } from "./header.ts";
import { memberName, splitPath } from "./names.ts";
import { decimalSeconds, floorSeconds, octalLimit } from "./numbers.ts";
import { encodePax, type PaxRecords } from "./pax.ts";
import { encodeSparseMap, type Range } from "./sparse.ts";

const TYPES: Record<TreeEntry["type"], string> = {
  file: "0",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

/** PAX keywords of ACLs by the name of their xattr (star, GNU tar with --acls). */
export const ACL_KEYWORDS: ReadonlyArray<[xattr: string, keyword: string]> = [
  ["system.posix_acl_access", "SCHILY.acl.access"],
  ["system.posix_acl_default", "SCHILY.acl.default"],
];
export const XATTR_KEYWORD = "SCHILY.xattr.";

/** In a PAX keyword `=` ends the name, so GNU tar writes it (and `%`) as a percent code. */
function encodeXattrName(name: string): string {
  return name.replaceAll("%", "%25").replaceAll("=", "%3D");
}

export function decodeXattrName(name: string): string {
  return name.replaceAll("%3D", "=").replaceAll("%25", "%");
}

function putXattrs(records: PaxRecords, xattrs: ReadonlyMap<string, Buffer>): void {
  for (const [name, value] of xattrs) {
    const acl = ACL_KEYWORDS.find(([xattr]) => xattr === name);
    const text = acl && aclToText(value);
    if (acl && text !== undefined) records.set(acl[1], Buffer.from(text));
    else records.set(XATTR_KEYWORD + encodeXattrName(name), value);
  }
}

function isPlain(name: Buffer): boolean {
  return name.length <= 100 && name.every((byte) => byte < 0x80);
}

/** Names that no field holds go into the PAX header; those that are not UTF-8 as raw bytes, announced as such. */
function putName(records: PaxRecords, keyword: string, name: Buffer): void {
  if (isPlain(name)) return;
  if (!isUtf8(name)) records.set("hdrcharset", Buffer.from("BINARY"));
  records.set(keyword, name);
}

function putNumber(records: PaxRecords, keyword: string, value: number, width: number): void {
  if (value > octalLimit(width)) records.set(keyword, Buffer.from(String(value)));
}

/** Bytes of a member before its file data (headers, sparse map), and how many bytes of data belong to it. */
export interface EncodedEntry {
  head: Buffer;
  dataSize: number;
}

/**
 * Headers of one entry: a PAX header if anything needs one, the ustar header, the map of a sparse file.
 * @param ranges Data of a sparse file, aligned (`alignRanges`); left out, the file is stored whole.
 */
export function encodeEntry(entry: TreeEntry, ranges?: readonly Range[]): EncodedEntry {
  const isLink = entry.hardLinkTo !== undefined;
  const name = memberName(entry.path, entry.type === "directory" && !isLink);
  const link = entry.hardLinkTo ? memberName(entry.hardLinkTo, false) : (entry.target ?? Buffer.alloc(0));
  const isFile = entry.type === "file" && !isLink;
  const map = isFile && ranges ? encodeSparseMap(ranges, entry.size) : Buffer.alloc(0);
  const dataSize = !isFile ? 0 : ranges ? ranges.reduce((sum, { start, end }) => sum + end - start, 0) : entry.size;

  const records: PaxRecords = new Map();
  if (map.length > 0) {
    if (!isUtf8(name)) records.set("hdrcharset", Buffer.from("BINARY"));
    records.set("GNU.sparse.major", Buffer.from("1"));
    records.set("GNU.sparse.minor", Buffer.from("0"));
    records.set("GNU.sparse.name", name);
    records.set("GNU.sparse.realsize", Buffer.from(String(entry.size)));
  } else putName(records, "path", name);
  putName(records, "linkpath", link);
  putNumber(records, "size", map.length + dataSize, 12);
  putNumber(records, "uid", entry.uid, 8);
  putNumber(records, "gid", entry.gid, 8);
  const seconds = floorSeconds(entry.mtimeNs);
  if (seconds * 1_000_000_000n !== entry.mtimeNs || seconds < 0n || seconds > BigInt(octalLimit(12))) {
    records.set("mtime", Buffer.from(decimalSeconds(entry.mtimeNs)));
  }
  if (entry.xattrs && !isLink) putXattrs(records, entry.xattrs);

  const header: RawHeader = {
    name: map.length > 0 ? besides("GNUSparseFile.0", entry.path) : name,
    mode: BigInt(entry.mode),
    uid: BigInt(entry.uid),
    gid: BigInt(entry.gid),
    size: BigInt(map.length + dataSize),
    mtime: seconds,
    type: isLink ? "1" : TYPES[entry.type],
    link,
    major: BigInt(entry.device?.major ?? 0),
    minor: BigInt(entry.device?.minor ?? 0),
  };
  return { head: Buffer.concat([...paxMember(entry, records), encodeHeader(header), map]), dataSize };
}

/** Name that readers without PAX see: a file in a directory of that name beside the entry. */
function besides(directory: string, path: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`./${directory}/`), splitPath(path).name]);
}

function paxMember(entry: TreeEntry, records: PaxRecords): Buffer[] {
  if (records.size === 0) return [];
  const data = encodePax(records);
  const header: RawHeader = {
    name: besides("PaxHeaders", entry.path),
    mode: 0o644n,
    uid: 0n,
    gid: 0n,
    size: BigInt(data.length),
    mtime: floorSeconds(entry.mtimeNs),
    type: "x",
    link: Buffer.alloc(0),
    major: 0n,
    minor: 0n,
  };
  return [encodeHeader(header), data, Buffer.alloc(padding(data.length))];
}
