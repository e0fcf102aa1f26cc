/** Which day a moment belongs to. */

const formats = new Map<string, Intl.DateTimeFormat>();

/** Since 1980, days have begun at a quarter of an hour by UTC, wherever that is (https://data.iana.org/time-zones/tzdb). */
const QUARTER_MS = 15 * 60_000;
const QUARTERS_SINCE = Date.UTC(1980) / QUARTER_MS;

/** What was asked last: mostly, that is what is asked next. */
let last = { timeZone: '', quarter: 0, date: '' };

/** The date in a time zone, as in `2026-01-31`. @throws RangeError for a zone that there is not */
export function dateIn(timeZone: string, ms: number): string {
  const quarter = Math.floor(ms / QUARTER_MS);
  if (quarter === last.quarter && timeZone === last.timeZone) return last.date;
  const date = formattedDate(timeZone, ms);
  if (quarter >= QUARTERS_SINCE) last = { timeZone, quarter, date };
  return date;
}

function formattedDate(timeZone: string, ms: number): string {
  const parts = new Map(
    formatOf(timeZone)
      .formatToParts(ms)
      .map(({ type, value }) => [type, value]),
  );
  return `${parts.get('year')}-${parts.get('month')}-${parts.get('day')}`;
}

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

/**
 * When the next day begins in a time zone, to the second, in milliseconds since the epoch.
 *
 * @throws RangeError for a zone that there is not
 */
export function nextDayMs(timeZone: string, ms: number): number {
  const today = dateIn(timeZone, ms);
  // Days have 23 to 25 hours, mostly; an island that changes sides of the date line has had none.
  let before = Math.floor(ms / SECOND_MS);
  let after = before + (2 * 24 * HOUR_MS) / SECOND_MS;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (dateIn(timeZone, middle * SECOND_MS) > today) after = middle;
    else before = middle;
  }
  return after * SECOND_MS;
}

/** Whether it is a name in the IANA time zone database, as far as Node knows it. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/** No zone is as far from UTC (https://data.iana.org/time-zones/theory.html): those of today are from -12 to +14. */
const FARTHEST_MS = 16 * HOUR_MS;

/** A span of time that has all of a day in it, in whichever zone: what is not of that day has to be sorted out. */
export function around(date: string): { fromMs: number; untilMs: number } {
  const ms = Date.parse(date);
  return { fromMs: ms - FARTHEST_MS, untilMs: ms + 24 * HOUR_MS + FARTHEST_MS };
}

/** Whether it is a date as in `2026-01-31`, and one that there is. */
export function isDate(text: string): boolean {
  const ms = Date.parse(`${text}T00:00:00Z`);
  return /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const options = { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' } as const;
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601-nu-latn', options);
  formats.set(timeZone, format);
  return format;
}
