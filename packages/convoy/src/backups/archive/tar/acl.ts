import { damaged } from "../errors.ts";

/*
 * POSIX ACLs stand in PAX headers as text (SCHILY.acl.access, SCHILY.acl.default: star, GNU tar, libarchive), in Linux
 * as binary values of the xattrs system.posix_acl_access and system.posix_acl_default: a version (2, 32 bits), then
 * per entry tag (16 bits), permissions (16 bits), id (32 bits), little-endian. Both hold the same; ids stay numbers.
 */

const VERSION = 2;
const NO_ID = 0xffffffff;
const TAGS: ReadonlyArray<[tag: number, word: string, named: boolean]> = [
  [0x01, "user", false],
  [0x02, "user", true],
  [0x04, "group", false],
  [0x08, "group", true],
  [0x10, "mask", false],
  [0x20, "other", false],
];

/** Text of a binary ACL; undefined if it is not of the version and shape known here. */
export function aclToText(acl: Buffer): string | undefined {
  if (acl.length < 4 || (acl.length - 4) % 8 !== 0 || acl.readUInt32LE(0) !== VERSION) return undefined;
  const entries: string[] = [];
  for (let at = 4; at < acl.length; at += 8) {
    const tag = TAGS.find(([number]) => number === acl.readUInt16LE(at));
    const bits = acl.readUInt16LE(at + 2);
    const id = acl.readUInt32LE(at + 4);
    if (!tag || bits > 7 || (!tag[2] && id !== NO_ID)) return undefined;
    const permissions = [bits & 4 ? "r" : "-", bits & 2 ? "w" : "-", bits & 1 ? "x" : "-"].join("");
    entries.push(`${tag[1]}:${tag[2] ? id : ""}:${permissions}`);
  }
  return entries.join(",");
}

/**
 * Binary value of an ACL's text. Entries end with a comma or a newline; a fourth field is the numeric id beside a name
 * (star). A name without a number cannot be used: ids are never looked up by name.
 */
export function aclFromText(text: string): Buffer {
  const entries = text.split(/[,\n]/).filter((entry) => entry !== "");
  const acl = Buffer.alloc(4 + 8 * entries.length);
  acl.writeUInt32LE(VERSION, 0);
  entries.forEach((entry, index) => {
    const [word, qualifier = "", permissions = "", number] = entry.split(":");
    const tag = TAGS.find((candidate) => candidate[1] === word && candidate[2] === (qualifier !== ""));
    const id = number ?? qualifier;
    if (!tag || !/^[r-][w-][x-]/.test(permissions) || (tag[2] && !/^\d{1,10}$/.test(id))) {
      throw damaged(`a member has an access control list with the entry ${JSON.stringify(entry.slice(0, 80))}`);
    }
    const at = 4 + 8 * index;
    const bits = (permissions[0] === "r" ? 4 : 0) | (permissions[1] === "w" ? 2 : 0) | (permissions[2] === "x" ? 1 : 0);
    acl.writeUInt16LE(tag[0], at);
    acl.writeUInt16LE(bits, at + 2);
    acl.writeUInt32LE(tag[2] ? Number(id) >>> 0 : NO_ID, at + 4);
  });
  return acl;
}
