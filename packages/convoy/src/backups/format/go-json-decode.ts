/**
 * Reading JSON as Go's decoder does, because Convoy v0.5.2 accepts what that accepts: only the first value of the text
 * counts, names of fields match in any letter case, a field that stands twice has its last value, `null` leaves a
 * field as if it were missing, invalid UTF-8 becomes U+FFFD.
 */

/** Parses the first JSON value of `bytes`. @throws SyntaxError */
export function parseFirstValue(bytes: Uint8Array): unknown {
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    const end = endOfContainer(text);
    if (end === undefined || end === text.length) throw error;
    return JSON.parse(text.slice(0, end));
  }
}

/** Index after the first object or array of `text`; undefined if it does not begin with one or never ends. */
function endOfContainer(text: string): number | undefined {
  const token = /[{}[\]]|"(?:[^"\\]|\\.)*"/gs;
  if (!/^[ \t\r\n]*[{[]/.test(text)) return undefined;
  let depth = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    if (match[0] === "{" || match[0] === "[") depth++;
    else if (match[0] === "}" || match[0] === "]") depth--;
    if (depth === 0) return token.lastIndex;
  }
  return undefined;
}

export interface DecodedFields {
  /** Values by the names of `fields`. */
  known: Record<string, unknown>;
  /** The rest as it stands in the text. */
  unknown: Record<string, unknown>;
}

/** Sorts the members of an object into the fields that are known and the others. @returns undefined if it is none */
export function decodeFields(value: unknown, fields: readonly string[]): DecodedFields | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const canonical = new Map(fields.map((field) => [field.toLowerCase(), field]));
  const known: [string, unknown][] = [];
  const unknown: [string, unknown][] = [];
  for (const [key, member] of Object.entries(value)) {
    const field = canonical.get(key.toLowerCase());
    if (field === undefined) unknown.push([key, member]);
    else if (member !== null) known.push([field, member]);
  }
  return { known: Object.fromEntries(known), unknown: Object.fromEntries(unknown) };
}
