/**
 * Undoes what printing and an unquoted shell word make of the `&` in a backup's URL: the six characters `\u0026`, or
 * a bare `u0026`. Only in the query, and only in front of a parameter that a backup's URL has, so that a bucket or a
 * path with that text stays as it is.
 */
export function unescapeBackupUrl(url: string): string {
  const query = url.indexOf("?");
  if (query < 0) return url;
  return url.slice(0, query) + url.slice(query).replace(/\\?u0026(?=(?:backup|volume)=)/g, "&");
}
