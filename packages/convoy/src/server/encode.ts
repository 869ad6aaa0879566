/**
 * JSON as Convoy v0.5.2 wrote it: indented with tabs, no newline at the end, `<`, `>`, `&` and the two line separators
 * of JavaScript as `\uXXXX`, maps sorted by key.
 *
 * A `Map` is written as an object with sorted keys, a plain object in its own order (JavaScript moves keys that look
 * like integers to the front, and `10` is a fine volume name: whatever is keyed by names has to be a Map). Fields that
 * are `undefined` are left out.
 */
export function encode(value: unknown, indent = ""): string {
  if (typeof value === "string") return quote(value);
  if (value === null || typeof value !== "object") return JSON.stringify(value ?? null);
  const inner = `${indent}\t`;
  let text = "";
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) text += `${text === "" ? "[\n" : ",\n"}${inner}${encode(item, inner)}`;
    return text === "" ? "[]" : `${text}\n${indent}]`;
  }
  const entries = value instanceof Map ? sortedByKey(value as Map<string, unknown>) : Object.entries(value);
  for (const [key, field] of entries) {
    if (field === undefined) continue;
    text += `${text === "" ? "{\n" : ",\n"}${inner}${quote(key)}: ${encode(field, inner)}`;
  }
  return text === "" ? "{}" : `${text}\n${indent}}`;
}

/**
 * A large object piece by piece, so that a listing of thousands of volumes is never one long pause.
 * @param entries in the order in which they are to be written.
 */
export function* encodeEntries(entries: Iterable<readonly [string, unknown]>): Generator<string> {
  let before = "{\n";
  for (const [key, value] of entries) {
    yield `${before}\t${quote(key)}: ${encode(value, "\t")}`;
    before = ",\n";
  }
  yield before === "{\n" ? "{}" : "\n}";
}

/** Entries in the order of their keys. */
export function sortedByKey<T>(entries: Iterable<readonly [string, T]>): (readonly [string, T])[] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

const ESCAPED = /[<>&\u2028\u2029]/;
const ESCAPED_ALL = /[<>&\u2028\u2029]/g;

/** Most texts need no escaping; listings of thousands of volumes are written twice as fast for knowing it. */
const PLAIN = /^[\w .:/+=?,@-]*$/;

function quote(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  const quoted = JSON.stringify(text);
  if (!ESCAPED.test(quoted)) return quoted;
  return quoted.replace(ESCAPED_ALL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
