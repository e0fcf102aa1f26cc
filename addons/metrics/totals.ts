/** Sums of cells, by whatever they have in common. */
import { addMeasures, type Cell, type Measures, NO_MEASURES } from './cells.ts';
import {
  absorbLatency,
  type Day,
  emptyLatency,
  type Latency,
  NANO_PER_CREDIT,
  type Person,
  type Span,
  spanOf,
} from './day.ts';
import { quantile } from './sketch.ts';

/** What is known of some of the exchanges. */
export interface Totals extends Omit<Measures, 'exchanges'> {
  /** Exchanges that count, by what they count as. */
  readonly counted: Readonly<Record<string, number>>;
  /** Exchanges that failed. */
  readonly errors: number;
  /** Exchanges that the client hung up on before they were finished, whether they count or not. */
  readonly cancelled: number;
}

/** Totals of a user or of a team. */
export interface Summary extends Totals {
  readonly seen: Span | undefined;
  readonly latency: Readonly<Record<'chat' | 'completions', Latency>>;
}

export function totalsOf(cells: Iterable<Cell>): Totals {
  const counted: Record<string, number> = {};
  let sums = NO_MEASURES;
  let errors = 0;
  let cancelled = 0;
  for (const cell of cells) {
    sums = addMeasures(sums, cell);
    if (cell.outcome === 'failed') errors += cell.exchanges;
    if (cell.outcome === 'cancelled') cancelled += cell.exchanges;
    if (cell.counted_as !== 'nothing' && cell.exchanges > 0)
      counted[cell.counted_as] = (counted[cell.counted_as] ?? 0) + cell.exchanges;
  }
  const { exchanges: _exchanges, ...measures } = sums;
  return { ...measures, counted, errors, cancelled };
}

/** Cells by something that they have in common, in the order of its names. */
export function cellsBy(cells: Iterable<Cell>, nameOf: (cell: Cell) => string): Map<string, Cell[]> {
  const groups = new Map<string, Cell[]>();
  for (const cell of cells) {
    const name = nameOf(cell);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [cell]);
    else group.push(cell);
  }
  return sorted(groups);
}

export function summaryOf({ seen, cells, latency }: Person): Summary {
  return { ...totalsOf(cells.values()), seen, latency };
}

interface TeamParts {
  readonly cells: Cell[];
  readonly people: Map<string, Person>;
}

/**
 * Each team's: of what its members did while they were in it. Times are of all that those members did on the day, since
 * they are kept by user only.
 */
export function teamSummaries({ users }: Day): Map<string, Summary & { readonly members: readonly string[] }> {
  const teams = new Map<string, TeamParts>();
  for (const [user, person] of users)
    for (const cell of person.cells.values())
      for (const name of cell.groups) {
        const team: TeamParts = teams.get(name) ?? { cells: [], people: new Map() };
        teams.set(name, team);
        team.cells.push(cell);
        team.people.set(user, person);
      }
  const summaries = [...teams].map(([name, { cells, people }]) => {
    const latency = { chat: emptyLatency(), completions: emptyLatency() };
    let seen: Span | undefined;
    for (const person of people.values()) {
      absorbLatency(latency.chat, person.latency.chat);
      absorbLatency(latency.completions, person.latency.completions);
      seen = spanOf(seen, person.seen);
    }
    return [name, { ...totalsOf(cells), seen, latency, members: [...people.keys()].sort() }] as const;
  });
  return sorted(new Map(summaries));
}

/** By the order of the names, as code units. */
export function sorted<T>(map: ReadonlyMap<string, T>): Map<string, T> {
  return new Map([...map].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** Percentiles in milliseconds, to a tenth; null where there was none. */
export function percentiles({ firstToken, duration }: Latency) {
  const of = (sketch: Latency['duration']) => ({
    p50: tenth(quantile(sketch, 0.5)),
    p90: tenth(quantile(sketch, 0.9)),
    p99: tenth(quantile(sketch, 0.99)),
  });
  return { firstTokenMs: of(firstToken), durationMs: of(duration) };
}

/** Null if the server said of no exchange what it charged. */
export function creditsOf({ charged, nano_credits }: Pick<Totals, 'charged' | 'nano_credits'>): number | null {
  return charged === 0 ? null : nano_credits / NANO_PER_CREDIT;
}

function tenth(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms * 10) / 10;
}
