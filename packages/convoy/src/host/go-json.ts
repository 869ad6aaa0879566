/**
 * JSON as Go's encoding/json writes it, which is what Convoy v0.5.2 wrote and what its scripts compare: `<`, `>`, `&`,
 * U+2028 and U+2029 are escaped.
 * @param indent `"\t"` for answers, nothing for files.
 */
export function goJson(value: unknown, indent = ""): string {
  return JSON.stringify(value, undefined, indent).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
