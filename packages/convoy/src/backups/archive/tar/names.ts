import { hostile, shown } from "../errors.ts";

const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Path of a member below the volume's root, without `.` and empty parts; empty for the root itself.
 * Absolute paths and `..` are refused, not repaired: no backup of a volume holds them (R27).
 */
export function memberPath(name: Buffer): Buffer {
  if (name[0] === SLASH) throw hostile(`the member ${shown(name)} has an absolute path`);
  if (name.includes(0)) throw hostile(`the name of the member ${shown(name)} holds a NUL byte`);
  const parts: Buffer[] = [];
  let clean = true;
  let start = 0;
  while (start <= name.length) {
    const slash = name.indexOf(SLASH, start);
    const end = slash < 0 ? name.length : slash;
    const part = name.subarray(start, end);
    if (part.length === 2 && part[0] === DOT && part[1] === DOT) {
      throw hostile(`the member ${shown(name)} points outside the volume`);
    }
    if (part.length === 0 || (part.length === 1 && part[0] === DOT)) clean = false;
    else parts.push(part);
    start = end + 1;
  }
  return clean ? name : join(parts);
}

function join(parts: Buffer[]): Buffer {
  return Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [Buffer.from("/"), part])));
}

/** Name of a tree's entry in an archive: `./`, `./docs/` (directory), `./docs/readme.txt`. */
export function memberName(path: Buffer, directory: boolean): Buffer {
  return Buffer.concat([Buffer.from("./"), path, Buffer.from(directory && path.length > 0 ? "/" : "")]);
}

/** Splits a path below a root into its directory and its last part. */
export function splitPath(path: Buffer): { parent: Buffer; name: Buffer } {
  const slash = path.lastIndexOf(SLASH);
  return slash < 0
    ? { parent: Buffer.alloc(0), name: path }
    : { parent: path.subarray(0, slash), name: path.subarray(slash + 1) };
}
