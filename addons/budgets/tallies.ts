import { type CopilotExchange, dateIn } from 'insight-dump';
import { type Asker, UNITS, type Unit } from './options.ts';

/** Whose use is added up: one user's, that of all in a group together, or everybody's. */
export type Subject = { readonly user: string } | { readonly group: string } | { readonly everyone: true };

/** What a subject has used on a day. */
export interface Tally {
  readonly subject: Subject;
  /** Those that a user was in when seen last. */
  groups: readonly string[];
  readonly used: Record<Unit, number>;
  /** What has been warned of: once a day each. */
  readonly warned: Set<string>;
}

export interface Day {
  /** As in `2026-11-25`; such dates are in the order of time when they are compared as text. */
  readonly date: string;
  /** By {@link keyOf}. */
  readonly tallies: Map<string, Tally>;
}

export function newDay(date: string): Day {
  return { date, tallies: new Map() };
}

/** The day that it is. A clock that is put back, or another time zone, does not bring back yesterday. */
export function today({ state, options }: { state: { day: Day }; options: { timeZone: string } }): Day {
  const date = dateIn(options.timeZone, Date.now());
  if (date > state.day.date) state.day = newDay(date);
  return state.day;
}

export function keyOf(subject: Subject): string {
  if ('user' in subject) return `user ${subject.user}`;
  return 'group' in subject ? `group ${subject.group}` : 'everyone';
}

/** Whose use a user's is, if not together with others'. */
export function ownSubject({ user, alias }: Asker): { readonly user: string } {
  return { user: alias ?? user };
}

export function newTally(subject: Subject): Tally {
  return {
    subject,
    groups: [],
    used: { turns: 0, completions: 0, tokens: 0, credits: 0 },
    warned: new Set(),
  };
}

/** A subject's tally of the day, which begins with nothing. */
export function tallyOf({ tallies }: Day, subject: Subject): Tally {
  const key = keyOf(subject);
  const tally = tallies.get(key) ?? newTally(subject);
  tallies.set(key, tally);
  return tally;
}

/** What an exchange uses of which unit. What counts as nothing uses nothing. */
export function growthOf({ kind, counted, tokens, credits = 0 }: CopilotExchange): Partial<Record<Unit, number>> {
  if (counted.as === 'nothing') return {};
  if (kind === 'completions') return counted.as === 'completion' ? { completions: 1 } : {};
  return { turns: counted.as === 'turn' ? 1 : 0, tokens: tokens.prompt + tokens.completion, credits };
}

/** Adds to what the user, each of the groups and everybody have used. */
export function grow(day: Day, asker: Asker, growth: Partial<Record<Unit, number>>): void {
  const { groups } = asker;
  const subjects: Subject[] = [ownSubject(asker), ...groups.map((group) => ({ group })), { everyone: true }];
  for (const subject of subjects) {
    const tally = tallyOf(day, subject);
    for (const unit of UNITS) tally.used[unit] = exact(tally.used[unit] + (growth[unit] ?? 0));
  }
  tallyOf(day, ownSubject(asker)).groups = groups;
}

/** Servers charge in billionths of a credit; sums of binary fractions would be off by less than that. */
function exact(amount: number): number {
  return Math.round(amount * 1e9) / 1e9;
}
