import { damaged } from "../errors.ts";

/** Largest value of a ustar field of `width` bytes: octal digits and a NUL. */
export function octalLimit(width: number): number {
  return 8 ** (width - 1) - 1;
}

/** Octal digits and a NUL. The value must not be above `octalLimit(width)`. */
export function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}

/**
 * Value of a numeric header field: octal digits (ustar), or base 256 when the first bit is set (GNU tar and star, for
 * what octal cannot hold, negative numbers included). An empty field is 0.
 */
export function parseNumber(field: Buffer, what: string): bigint {
  const first = field[0] ?? 0;
  if (first & 0x80) {
    let value = first & 0x40 ? BigInt(first) - 256n : BigInt(first & 0x3f);
    for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
    return value;
  }
  const text = field
    .toString("latin1")
    .replace(/^ +/, "")
    .replace(/[\0 ].*$/s, "");
  if (!/^[0-7]*$/.test(text)) throw damaged(`the ${what} of a member is not a number`);
  return text === "" ? 0n : BigInt(`0o${text}`);
}

/** `value` as a number, if it lies within 0 … `limit`. */
export function within(value: bigint, limit: number, what: string): number {
  if (value < 0n || value > BigInt(limit))
    throw damaged(`the ${what} of a member is ${value}, allowed is 0 to ${limit}`);
  return Number(value);
}

const NS = 1_000_000_000n;

/** Decimal seconds as PAX writes times: no exponent, no trailing zeros, `-` for times before 1970. */
export function decimalSeconds(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  const rest = (size % NS).toString().padStart(9, "0").replace(/0+$/, "");
  return `${ns < 0n ? "-" : ""}${size / NS}${rest === "" ? "" : `.${rest}`}`;
}

/** Nanoseconds of decimal seconds; digits beyond the ninth are dropped. */
export function parseSeconds(text: string): bigint {
  const match = /^(-?)(\d{1,20})(?:\.(\d*))?$/.exec(text);
  if (!match) throw damaged(`a member's time is ${JSON.stringify(text.slice(0, 40))}, which is not a number`);
  const size = BigInt(match[2]!) * NS + BigInt((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  return match[1] === "-" ? -size : size;
}

/** Whole seconds at or before a time, for the header's own field. */
export function floorSeconds(ns: bigint): bigint {
  return ns >= 0n ? ns / NS : -((-ns + NS - 1n) / NS);
}
