/** A report as rows, by one thing that exchanges have in common. */
import type { Cell } from './cells.ts';
import type { Day } from './day.ts';
import { cellsBy, creditsOf, percentiles, type Summary, sorted, summaryOf, teamSummaries, totalsOf } from './totals.ts';

export const DIMENSIONS = ['user', 'team', 'model', 'language', 'editor'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Of models, languages and editors, times are not known. */
export type Counts = Omit<Summary, 'seen' | 'latency'> & Partial<Pick<Summary, 'seen' | 'latency'>>;

export interface Row {
  readonly name: string;
  readonly counts: Counts;
}

export interface Column {
  /** In CSV and JSON. */
  readonly key: string;
  /** In a table; one without is not in it. */
  readonly title?: string;
  of(counts: Counts): number | string | null;
}

const counted = (key: string, as: string, title?: string): Column => ({
  key,
  ...(title !== undefined && { title }),
  of: (counts) => counts.counted[as] ?? 0,
});
const measured = (
  key: 'errors' | 'cancelled' | Exclude<keyof Counts, 'counted' | 'seen' | 'latency'>,
  title?: string,
) => ({
  key,
  ...(title !== undefined && { title }),
  of: (counts: Counts) => counts[key],
});
const timed = (kind: 'chat' | 'completions', part: 'p50' | 'p90' | 'p99', title?: string): Column => ({
  key: `${kind}_first_token_${part}_ms`,
  ...(title !== undefined && { title }),
  of: ({ latency }) => (latency === undefined ? null : percentiles(latency[kind]).firstTokenMs[part]),
});
const seen = (key: 'first_seen' | 'last_seen', of: 'firstMs' | 'lastMs'): Column => ({
  key,
  of: ({ seen }) => (seen === undefined ? null : new Date(seen[of]).toISOString()),
});

export const COLUMNS: readonly Column[] = [
  counted('turns', 'turn', 'TURNS'),
  counted('steps', 'step', 'STEPS'),
  counted('subagents', 'subagent', 'SUBAGENTS'),
  counted('background', 'background', 'BACKGROUND'),
  counted('commit_messages', 'commitMessage'),
  counted('extensions', 'extension'),
  counted('completions', 'completion', 'COMPLETIONS'),
  counted('speculative', 'speculative'),
  counted('next_edits', 'nextEdit', 'NEXT EDITS'),
  measured('errors', 'ERRORS'),
  measured('cancelled', 'CANCELLED'),
  measured('prompt_tokens', 'TOKENS IN'),
  measured('completion_tokens', 'TOKENS OUT'),
  measured('cached_tokens'),
  measured('reasoning_tokens'),
  { key: 'credits', title: 'CREDITS', of: creditsOf },
  measured('shown'),
  measured('accepted'),
  measured('rejected'),
  measured('accepted_lines'),
  timed('chat', 'p50', 'CHAT P50 MS'),
  timed('chat', 'p90', 'P90'),
  timed('chat', 'p99'),
  timed('completions', 'p50', 'COMPLETIONS P50 MS'),
  timed('completions', 'p90', 'P90'),
  timed('completions', 'p99'),
  seen('first_seen', 'firstMs'),
  seen('last_seen', 'lastMs'),
];

/** By the order of the names. */
export function rowsOf(day: Day, by: Dimension): Row[] {
  return [...countsBy(day, by)].map(([name, counts]) => ({ name, counts }));
}

function countsBy(day: Day, by: Dimension): Map<string, Counts> {
  if (by === 'user') return new Map([...sorted(day.users)].map(([user, person]) => [user, summaryOf(person)]));
  if (by === 'team') return teamSummaries(day);
  const cells: Cell[] = [...day.users.values()].flatMap((person) => [...person.cells.values()]);
  return new Map([...cellsBy(cells, (cell) => cell[by])].map(([name, some]) => [name, totalsOf(some)]));
}
