/**
 * Undoes, in the query of a backup URL only, the escaped `&` that v0.5.2 printed: people paste the six characters
 * `\u0026`, or `u0026` when a shell ate the backslash. (v0.5.2 replaced the first one anywhere and so damaged paths.)
 */
export function unescapeBackupUrl(url: string): string {
  const mark = url.indexOf("?");
  if (mark < 0) return url;
  return url.slice(0, mark) + url.slice(mark).replace(/\\?u0026(?=(?:backup|volume)=)/g, "&");
}

/** A backup URL as a bare word: v0.5.2 wrote its first `&` as six characters, and scripts undo that. */
export function escapeBackupUrl(url: string): string {
  return url.replace("&", "\\u0026");
}
