import type { TreeEntry } from "../../../host/tree/entry.ts";
import { damaged, hostile, shown } from "../errors.ts";
import { aclFromText } from "./acl.ts";
import { ACL_KEYWORDS, decodeXattrName, XATTR_KEYWORD } from "./encode-entry.ts";
import type { RawHeader } from "./header.ts";
import { memberPath } from "./names.ts";
import { parseSeconds, within } from "./numbers.ts";
import type { PaxRecords } from "./pax.ts";

const MAX_ID = 0xfffffffe;
const MAX_DEVICE = 0xfffff;
const NS = 1_000_000_000n;

/** One member as it is to be restored. */
export interface Member {
  /** For a hard link (`hardLinkTo`) only its path and target count: all else belongs to the first name. */
  entry: TreeEntry;
  /** Bytes that follow the headers; the map of a sparse file included. */
  storedSize: number;
  /** The data starts with a map of its ranges (GNU sparse format 1.0). */
  hasMap: boolean;
}

const TYPES: Record<string, TreeEntry["type"]> = {
  "\0": "file",
  "0": "file",
  "7": "file",
  "1": "file",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

/**
 * Puts one member together from its header and what extended headers say about it.
 * @param pax Records of PAX headers; GNU's long names are given as `path` and `linkpath`.
 */
export function decodeEntry(header: RawHeader, pax: PaxRecords): Member {
  const hasMap = pax.get("GNU.sparse.major")?.toString() === "1" && pax.get("GNU.sparse.minor")?.toString() === "0";
  const name = pax.get("GNU.sparse.name") ?? pax.get("path") ?? header.name;
  if (!hasMap && [...pax.keys()].some((key) => key.startsWith("GNU.sparse."))) {
    throw damaged(`the sparse file ${shown(name)} is in a format that Convoy does not write and cannot read`);
  }
  const path = memberPath(name);
  const isLink = header.type === "1";
  let type = TYPES[header.type];
  if (type === undefined) throw damaged(`the member ${shown(name)} is of an unknown kind (${header.type})`);
  // Archives older than POSIX mark a directory by a slash only.
  if (type === "file" && !isLink && name.at(-1) === 0x2f) type = "directory";

  const number = (keyword: string) => {
    const text = pax.get(keyword)?.toString("latin1");
    if (text === undefined) return undefined;
    if (!/^\d{1,20}$/.test(text)) throw damaged(`the record ${keyword} of the member ${shown(name)} is not a number`);
    return BigInt(text);
  };
  const storedSize = within(number("size") ?? header.size, Number.MAX_SAFE_INTEGER, "size");
  const realSize = within(
    (hasMap ? number("GNU.sparse.realsize") : undefined) ?? BigInt(storedSize),
    Number.MAX_SAFE_INTEGER,
    "size",
  );
  const isFile = type === "file" && !isLink;
  if (hasMap && !isFile) throw damaged(`the member ${shown(name)} is marked sparse but is no file`);
  if (!isFile && storedSize !== 0) throw damaged(`the member ${shown(name)} is no file but has ${storedSize} bytes`);

  const link = pax.get("linkpath") ?? header.link;
  const mtime = pax.get("mtime");
  const entry: TreeEntry = {
    path,
    type,
    mode: Number(header.mode & 0o7777n),
    uid: within(number("uid") ?? header.uid, MAX_ID, "owner"),
    gid: within(number("gid") ?? header.gid, MAX_ID, "group"),
    mtimeNs: mtime ? parseSeconds(mtime.toString("latin1")) : header.mtime * NS,
    size: isFile ? realSize : 0,
  };
  if (isLink) entry.hardLinkTo = memberPath(link);
  if (type === "symlink") {
    if (link.length === 0 || link.includes(0)) throw hostile(`the link ${shown(name)} has no valid target`);
    entry.target = link;
  }
  if (type === "character" || type === "block") {
    entry.device = {
      major: within(header.major, MAX_DEVICE, "device number"),
      minor: within(header.minor, MAX_DEVICE, "device number"),
    };
  }
  const xattrs = decodeXattrs(pax);
  if (xattrs.size > 0) entry.xattrs = xattrs;
  if (hasMap) entry.sparse = true;
  return { entry, storedSize, hasMap };
}

function decodeXattrs(pax: PaxRecords): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const [xattr, keyword] of ACL_KEYWORDS) {
    const text = pax.get(keyword);
    // GNU tar writes an empty default list for directories that have none.
    if (text && text.length > 0) xattrs.set(xattr, aclFromText(text.toString("latin1")));
  }
  for (const [keyword, value] of pax) {
    if (keyword.startsWith(XATTR_KEYWORD)) {
      xattrs.set(decodeXattrName(keyword.slice(XATTR_KEYWORD.length)), Buffer.from(value));
    }
  }
  return xattrs;
}
