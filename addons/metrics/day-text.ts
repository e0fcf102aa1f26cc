/**
 * A day's counts as the text of its file, and back.
 *
 * The seed's keys, and most of those beside them, are for readers: sums of the cells and percentiles of the buckets, made
 * anew each time. Only the cells, the buckets and the times of the first and last are read again. A file without them,
 * as copilot-proxy-insight writes it, is read by the seed's keys.
 */
import { z } from 'zod';
import { addCell, type Cell, type Cells, MEASURES, NO_MEASURES, sortedCells } from './cells.ts';
import { type Day, emptyDay, type Latency, type Person, personOf } from './day.ts';
import { addToBucket, MAX_BUCKETS, type Sketch } from './sketch.ts';
import { cellsBy, creditsOf, percentiles, type Summary, sorted, summaryOf, teamSummaries } from './totals.ts';

/** What a file says of itself. */
export interface Written {
  readonly timeZone: string;
  /** How many lines of the day's journal are in the counts. */
  readonly journal: number;
  /** The same of the journals of other workers than the first, by worker. */
  readonly others?: ReadonlyMap<number, number>;
}

const count = z.int().min(0);
const buckets = z.record(z.string().regex(/^\d{1,4}$/), count);
const latency = z.object({ first_token_ms: z.object({ buckets }), duration_ms: z.object({ buckets }) });
const cell = z.object({
  groups: z.array(z.string()),
  surface: z.string(),
  counted_as: z.string(),
  outcome: z.string(),
  editor: z.string(),
  model: z.string(),
  language: z.string(),
  ...(Object.fromEntries(MEASURES.map((name) => [name, count.default(0)])) as Record<
    (typeof MEASURES)[number],
    z.ZodDefault<typeof count>
  >),
});
const user = z.object({
  insight: z.object({
    first_seen: z.iso.datetime().nullable(),
    last_seen: z.iso.datetime().nullable(),
    latency: z.object({ chat: latency, completions: latency }),
    cells: z.array(cell),
  }),
});
const file = z.object({
  total_chat_turns: count,
  total_completions_count: count,
  insight: z
    .object({
      version: z.literal(1),
      journal: count,
      journals_of_workers: z.record(z.string().regex(/^\d{1,9}$/), count).default({}),
    })
    .optional(),
});

/** @throws when it is none, with what is wrong in it */
export function parseDay(text: string, date: string): { day: Day; journal: number; others: Map<number, number> } {
  const value: unknown = JSON.parse(text);
  const { insight } = file.parse(value);
  const day = emptyDay(date);
  for (const [user, uses] of entriesOf(value, 'usage')) readUser(personOf(day, user), uses);
  const others = Object.entries(insight?.journals_of_workers ?? {});
  return { day, journal: insight?.journal ?? 0, others: new Map(others.map(([worker, n]) => [Number(worker), n])) };
}

function readUser(person: Person, uses: unknown): void {
  if (!Object.hasOwn(Object(uses), 'insight')) {
    for (const each of seedCells(uses)) addCell(person.cells, each);
    return;
  }
  const { cells, first_seen, last_seen, latency } = user.parse(uses).insight;
  for (const each of cells) addCell(person.cells, each);
  if (first_seen !== null && last_seen !== null)
    person.seen = { firstMs: Date.parse(first_seen), lastMs: Date.parse(last_seen) };
  for (const kind of ['chat', 'completions'] as const) {
    readBuckets(person.latency[kind].firstToken, latency[kind].first_token_ms.buckets);
    readBuckets(person.latency[kind].duration, latency[kind].duration_ms.buckets);
  }
}

function readBuckets(sketch: Sketch, buckets: Readonly<Record<string, number>>): void {
  for (const [bucket, count] of Object.entries(buckets))
    addToBucket(sketch, Math.min(Number(bucket), MAX_BUCKETS - 1), count);
}

/** What the seed's own files tell of a user. */
function seedCells(uses: unknown): Cell[] {
  const of = (counted_as: string, editor: string, language: string, exchanges: unknown): Cell => ({
    ...{ groups: [], surface: 'unknown', counted_as, outcome: 'complete', editor, model: 'unknown', language },
    ...{ ...NO_MEASURES, exchanges: count.parse(exchanges) },
  });
  const completions = entriesOf(uses, 'completions').map(([editor]) => editor);
  return [
    ...entriesOf(uses, 'chat').map(([editor, turns]) => of('turn', editor, 'unknown', turns)),
    ...completions.flatMap((editor) =>
      entriesOf(uses, 'completions', editor).map(([language, returned]) =>
        of('completion', editor, language, returned),
      ),
    ),
  ];
}

/** What there is below some keys, by names that may be such as `__proto__`. @throws when it is no object */
function entriesOf(value: unknown, ...keys: readonly string[]): [string, unknown][] {
  let found = value;
  for (const key of keys) {
    found = Object.entries(Object(found)).find(([name]) => name === key)?.[1];
    if (typeof found !== 'object' || found === null || Array.isArray(found))
      throw new TypeError(`${keys.join('.')}: expected an object`);
  }
  return Object.entries(found as object);
}

// --------------------------------------------------------------------------------------------------------- the other way

/** The seed's keys in the seed's order, all names in the order of their code units. */
export function dayText(day: Day, written: Written): string {
  const users = [...sorted(day.users)].map(([user, person]) => [user, userJson(person)] as const);
  const all = users.map(([, json]) => json);
  const json = {
    day: day.date,
    total_chat_turns: all.reduce((sum, { chat_turns }) => sum + chat_turns, 0),
    total_completions_count: all.reduce((sum, { completions_count }) => sum + completions_count, 0),
    usage: Object.fromEntries(users),
    insight: {
      version: 1,
      time_zone: written.timeZone,
      journal: written.journal,
      // One process alone has none.
      journals_of_workers: written.others?.size ? Object.fromEntries(written.others) : undefined,
      teams: Object.fromEntries(
        [...teamSummaries(day)].map(([team, { members, ...summary }]) => [team, { members, ...summaryJson(summary) }]),
      ),
    },
  };
  return `${JSON.stringify(json, null, 2)}\n`;
}

function userJson(person: Person) {
  const summary = summaryOf(person);
  const of = (as: string) => [...person.cells.values()].filter((each) => each.counted_as === as && each.exchanges > 0);
  const completions = [...cellsBy(of('completion'), ({ editor }) => editor)];
  return {
    chat_turns: summary.counted.turn ?? 0,
    completions_count: summary.counted.completion ?? 0,
    chat: exchangesBy(of('turn'), 'editor'),
    completions: Object.fromEntries(completions.map(([editor, cells]) => [editor, exchangesBy(cells, 'language')])),
    insight: {
      ...summaryJson(summary),
      editors: exchangesBy(counting(person.cells), 'editor'),
      models: exchangesBy(counting(person.cells), 'model'),
      languages: exchangesBy(counting(person.cells), 'language'),
      latency: {
        chat: latencyJson(person.latency.chat),
        completions: latencyJson(person.latency.completions),
      },
      cells: sortedCells(person.cells).map(cellJson),
    },
  };
}

function summaryJson({ seen, counted, latency, ...totals }: Summary) {
  return {
    first_seen: seen === undefined ? null : new Date(seen.firstMs).toISOString(),
    last_seen: seen === undefined ? null : new Date(seen.lastMs).toISOString(),
    counted: Object.fromEntries(sorted(new Map(Object.entries(counted)))),
    errors: totals.errors,
    cancelled: totals.cancelled,
    tokens: {
      prompt: totals.prompt_tokens,
      completion: totals.completion_tokens,
      cached: totals.cached_tokens,
      reasoning: totals.reasoning_tokens,
      estimated_exchanges: totals.estimated,
    },
    credits: creditsOf(totals),
    acceptance: {
      shown: totals.shown,
      accepted: totals.accepted,
      rejected: totals.rejected,
      accepted_lines: totals.accepted_lines,
    },
    latency: { chat: percentilesJson(latency.chat), completions: percentilesJson(latency.completions) },
  };
}

function percentilesJson(latency: Latency) {
  const { firstTokenMs, durationMs } = percentiles(latency);
  return { first_token_ms: firstTokenMs, duration_ms: durationMs };
}

function latencyJson(latency: Latency) {
  const { first_token_ms, duration_ms } = percentilesJson(latency);
  return {
    first_token_ms: { ...first_token_ms, buckets: Object.fromEntries(latency.firstToken) },
    duration_ms: { ...duration_ms, buckets: Object.fromEntries(latency.duration) },
  };
}

function counting(cells: Cells): Cell[] {
  return [...cells.values()].filter(({ counted_as, exchanges }) => counted_as !== 'nothing' && exchanges > 0);
}

function exchangesBy(cells: Iterable<Cell>, trait: 'editor' | 'model' | 'language'): Record<string, number> {
  const groups = [...cellsBy(cells, (each) => each[trait])];
  return Object.fromEntries(groups.map(([name, some]) => [name, some.reduce((sum, each) => sum + each.exchanges, 0)]));
}

/** Without what is 0. */
function cellJson(cell: Cell): Partial<Cell> {
  return Object.fromEntries(Object.entries(cell).filter(([, value]) => value !== 0)) as Partial<Cell>;
}
