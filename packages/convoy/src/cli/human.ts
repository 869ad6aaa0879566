const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** A number of bytes for people: `1.5 GiB`. `-` for 0, which stands for "no size of its own". */
export function humanSize(text: string | undefined): string {
  const bytes = Number(text ?? "");
  if (!Number.isFinite(bytes) || bytes < 0) return text ?? "-";
  if (bytes === 0) return "-";
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  return `${Number(value.toFixed(value < 10 ? 1 : 0))} ${UNITS[power]}`;
}

const STEPS = [
  [86_400 * 365, "y"],
  [86_400, "d"],
  [3600, "h"],
  [60, "min"],
  [1, "s"],
] as const;

/**
 * Time since a timestamp of the API, `Fri Nov 20 06:49:40 +0000 2026` or ISO 8601: `3 d`. An unknown form is given back.
 */
export function humanAge(timestamp: string | undefined, now: number = Date.now()): string {
  if (!timestamp) return "-";
  const match = /^\w{3} (\w{3}) +(\d{1,2}) ([\d:]{8}) ([+-]\d{4}) (\d{4})$/.exec(timestamp);
  const standard = match ? `${match[2]} ${match[1]} ${match[5]} ${match[3]} ${match[4]}` : timestamp;
  const time = match || /^\d{4}-\d{2}-\d{2}T/.test(timestamp) ? Date.parse(standard) : Number.NaN;
  if (Number.isNaN(time)) return timestamp;
  const seconds = Math.floor((now - time) / 1000);
  if (seconds < 0) return "in the future";
  for (const [length, unit] of STEPS) if (seconds >= length) return `${Math.floor(seconds / length)} ${unit}`;
  return "0 s";
}

/** A word in single quotes, ready to be pasted into a shell. */
export function shellQuote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A word for a command line, quoted only where the shell would change it. */
export function shellWord(word: string): string {
  return /^[A-Za-z0-9_./:@=+-]+$/.test(word) ? word : shellQuote(word);
}
