const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

const FORMAT = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ 0-9][0-9]) (\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2}) (\d{4})$/;

const two = (value: number) => String(value).padStart(2, "0");

/**
 * A time as every record, backup and answer carries it (`%a %b %d %H:%M:%S %z %Y`, English, two-digit day), always in
 * UTC: `Fri Nov 20 06:52:25 +0000 2026`. Whole seconds; what is below is cut off. Left out: now.
 * @throws RangeError for an invalid date, or a year that has not four digits.
 */
export function formatTime(time: Date = new Date()): string {
  const year = time.getUTCFullYear();
  if (!(year >= 1000 && year <= 9999)) throw new RangeError(`A time of the years 1000 to 9999 is needed, got ${year}`);
  const day = `${DAYS[time.getUTCDay()]} ${MONTHS[time.getUTCMonth()]} ${two(time.getUTCDate())}`;
  const clock = `${two(time.getUTCHours())}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())}`;
  return `${day} ${clock} +0000 ${year}`;
}

/**
 * Reads such a time, in any zone (v0.5.2 wrote the local one). The day of the week is not compared with the date.
 * @returns undefined if the text is not one: records of v0.5.2 only ever carried these strings around.
 */
export function parseTime(text: string): Date | undefined {
  const match = FORMAT.exec(text);
  if (!match) return undefined;
  const [, monthName, day, hour, minute, second, sign, zoneHours, zoneMinutes, year] = match;
  const month = MONTHS.indexOf(monthName as (typeof MONTHS)[number]);
  if (month < 0 || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const local = new Date(Date.UTC(Number(year), month, Number(day), Number(hour), Number(minute), Number(second)));
  if (local.getUTCMonth() !== month || local.getUTCDate() !== Number(day)) return undefined;
  const offset = (Number(zoneHours) * 60 + Number(zoneMinutes)) * 60_000 * (sign === "-" ? -1 : 1);
  return new Date(local.getTime() - offset);
}
