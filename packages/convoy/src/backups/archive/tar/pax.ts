import { damaged } from "../errors.ts";

/** Records of a PAX extended header. Keys are latin1 strings (an xattr's name may hold any byte), values raw bytes. */
export type PaxRecords = Map<string, Buffer>;

/** One record: `<length> <key>=<value>\n`, where the length counts its own digits. */
function record(key: string, value: Buffer): Buffer {
  const rest = Buffer.from(` ${key}=`, "latin1");
  const fixed = rest.length + value.length + 1;
  let length = fixed + String(fixed).length;
  if (fixed + String(length).length !== length) length = fixed + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest, value, Buffer.from("\n")]);
}

export function encodePax(records: PaxRecords): Buffer {
  return Buffer.concat([...records].map(([key, value]) => record(key, value)));
}

const SPACE = 0x20;
const NEWLINE = 0x0a;

export function decodePax(data: Buffer): PaxRecords {
  const records: PaxRecords = new Map();
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(SPACE, at);
    const digits = space < 0 || space - at > 10 ? "" : data.toString("latin1", at, space);
    const end = at + Number(digits);
    if (!/^\d+$/.test(digits) || end > data.length || end <= space + 1 || data[end - 1] !== NEWLINE) {
      throw damaged("an extended header (PAX) is malformed");
    }
    const equals = data.indexOf(0x3d, space + 1);
    if (equals < 0 || equals >= end) throw damaged("an extended header (PAX) has a record without a value");
    records.set(data.toString("latin1", space + 1, equals), data.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}
