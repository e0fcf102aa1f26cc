import type { BudgetsContext } from './context.ts';
import { describeLimit, type Standing } from './standings.ts';
import { keyOf } from './tallies.ts';
import { post } from './webhook.ts';

/** Tells of each part of a limit that is reached, once a day: on the log, and to the webhook. */
export function warn(standings: readonly Standing[], ctx: BudgetsContext): void {
  for (const standing of standings) {
    const news = noteNews(standing);
    // One step can be over several parts: the last of them says it all.
    if (news.length > 0) tell(standing, Math.max(...news), ctx);
  }
}

/** Takes what is reached as told of. */
export function markWarned(standings: readonly Standing[]): void {
  for (const standing of standings) noteNews(standing);
}

/** The parts that have been reached since it was called last. */
function noteNews(standing: Standing): number[] {
  const { limit, unit, max, tally } = standing;
  const isReached = (part: number) => tally.used[unit] >= part * max;
  const news = limit.at.filter((part) => isReached(part) && !tally.warned.has(noteOf(standing, part)));
  for (const part of news) tally.warned.add(noteOf(standing, part));
  return news;
}

function noteOf({ limit, unit, max }: Standing, part: number): string {
  return `${limit.action} at ${part} of ${max} ${unit}`;
}

function tell(standing: Standing, at: number, ctx: BudgetsContext): void {
  const { limit, unit, max, tally } = standing;
  const used = tally.used[unit];
  const isRefused = limit.action === 'refuse' && used >= max;
  const percent = Math.floor((used / max) * 100);
  const name = 'everyone' in tally.subject ? 'everyone' : keyOf(tally.subject);
  const rest = isRefused ? `; more is refused until 00:00 ${ctx.options.timeZone}` : '';
  const text = `${isRefused ? '⛔' : '⚠️ '} ${name} has used ${percent}% of ${describeLimit(standing)}${rest}`;
  ctx.log.warn(text);
  post({ text, date: ctx.state.day.date, ...tally.subject, unit, used, max, at, action: limit.action }, ctx);
}
