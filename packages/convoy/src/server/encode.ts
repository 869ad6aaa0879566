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
  if (Array.isArray(value)) {
    return wrap(
      "[",
      "]",
      indent,
      (value as unknown[]).map((item) => inner + encode(item, inner)),
    );
  }
  const entries = value instanceof Map ? sortedByKey(value as Map<string, unknown>) : Object.entries(value);
  const fields = entries.filter(([, field]) => field !== undefined);
  return wrap(
    "{",
    "}",
    indent,
    fields.map(([key, field]) => `${inner}${quote(key)}: ${encode(field, inner)}`),
  );
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

function quote(text: string): string {
  const quoted = JSON.stringify(text);
  if (!ESCAPED.test(quoted)) return quoted;
  return quoted.replace(ESCAPED_ALL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function wrap(open: string, close: string, indent: string, lines: string[]): string {
  return lines.length === 0 ? open + close : `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}
