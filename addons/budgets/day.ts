/** Days of budgets are those of UTC, as in all files of insight-dump. */

const DAY_MS = 24 * 60 * 60 * 1_000;

/** As in `2026-11-25`; such dates are in the order of time when they are compared as text. */
export function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Until the next day begins; at least 1. */
export function secondsLeft(nowMs: number): number {
  return Math.max(1, Math.ceil((DAY_MS - (nowMs % DAY_MS)) / 1_000));
}
