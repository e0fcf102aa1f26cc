/** A day's counts: how they grow by a use, and how several become one. */
import type { Acceptance, CopilotExchange, Insight } from 'insight-dump';
import { addCell, type Cell, type Cells, NO_MEASURES } from './cells.ts';
import { absorbSketch, addTime, type Sketch } from './sketch.ts';
import { countOf } from './sum.ts';

export interface Day {
  /** As in `2026-01-31`. */
  readonly date: string;
  readonly users: Map<string, Person>;
}

/** What a user did on a day. */
export interface Person {
  /** When the first and the last of what counts ended, in milliseconds since the epoch; undefined if nothing did. */
  seen: Span | undefined;
  readonly cells: Cells;
  /** Of what counts and was complete. */
  readonly latency: Readonly<Record<CopilotExchange['kind'], Latency>>;
}

export interface Span {
  readonly firstMs: number;
  readonly lastMs: number;
}

/** From the request's head on. */
export interface Latency {
  readonly firstToken: Sketch;
  /** To the end of the answer. */
  readonly duration: Sketch;
}

/** What the counts of a day grow by. */
export interface Use {
  /** The exchange's. */
  readonly id: string;
  readonly user: string;
  readonly endMs: number;
  readonly cell: Cell;
  /** How long it took, if that counts. */
  readonly took?: {
    readonly kind: CopilotExchange['kind'];
    readonly firstTokenMs?: number | undefined;
    readonly durationMs: number;
  };
}

/** What editors tell of completions, which a proxy cannot see of itself. */
export type Told = Omit<Acceptance, 'timeMs' | 'acceptedCharacters'> & Pick<Insight, 'id' | 'endMs'>;

export const NANO_PER_CREDIT = 1e9;
const UNKNOWN = 'unknown';

/** Undefined for what is in no sum at all: it was complete, and is no use. */
export function useOf(insight: Omit<Insight, 'client'>): Use | undefined {
  const { id, user, groups, surface, outcome, editor, model, language, tokens, credits, counted } = insight;
  const isCounted = counted.as !== 'nothing';
  if (!isCounted && outcome === 'complete') return undefined;
  const cell: Cell = {
    groups: [...new Set(groups)].sort(),
    surface,
    counted_as: counted.as,
    outcome,
    editor,
    model: model ?? UNKNOWN,
    language,
    exchanges: 1,
    prompt_tokens: countOf(tokens.prompt),
    completion_tokens: countOf(tokens.completion),
    cached_tokens: countOf(tokens.cached),
    reasoning_tokens: countOf(tokens.reasoning),
    estimated: tokens.estimated ? 1 : 0,
    charged: credits === undefined ? 0 : 1,
    nano_credits: countOf((credits ?? 0) * NANO_PER_CREDIT),
    shown: 0,
    accepted: 0,
    rejected: 0,
    accepted_lines: 0,
  };
  const use: Use = { id, user, endMs: Math.round(insight.endMs), cell };
  if (!isCounted || outcome !== 'complete') return use;
  const { kind, startMs, endMs, firstTokenMs } = insight;
  const took = { kind, durationMs: endMs - startMs };
  return { ...use, took: Number.isFinite(firstTokenMs) ? { ...took, firstTokenMs } : took };
}

export function emptyDay(date: string): Day {
  return { date, users: new Map() };
}

/** Counts a use of that day. */
export function add(day: Day, { user, endMs, cell, took }: Use): void {
  const person = personOf(day, user);
  addCell(person.cells, cell);
  if (cell.counted_as !== 'nothing') person.seen = spanOf(person.seen, { firstMs: endMs, lastMs: endMs });
  if (took === undefined) return;
  const { firstToken, duration } = person.latency[took.kind];
  addTime(duration, took.durationMs);
  if (took.firstTokenMs !== undefined) addTime(firstToken, took.firstTokenMs);
}

/** What editors told is a use without an exchange. */
export function useOfAcceptance({ id, user, endMs, groups, editor, language, ...told }: Told): Use {
  const traits = { surface: 'ide', counted_as: 'completion', outcome: 'complete', editor, model: UNKNOWN, language };
  const measures = {
    ...NO_MEASURES,
    shown: countOf(told.shown),
    accepted: countOf(told.accepted),
    rejected: countOf(told.rejected),
    accepted_lines: countOf(told.acceptedLines),
  };
  return { id, user, endMs, cell: { groups: [...new Set(groups)].sort(), ...traits, ...measures } };
}

export function addAcceptance(day: Day, acceptance: Told): void {
  add(day, useOfAcceptance(acceptance));
}

/** Both as one, under the date of the first. */
export function merge(one: Day, other: Day): Day {
  const day = emptyDay(one.date);
  absorb(day, one);
  absorb(day, other);
  return day;
}

/** Adds all of a day to another. */
export function absorb(into: Day, from: Day): void {
  for (const [user, { seen, cells, latency }] of from.users) {
    const person = personOf(into, user);
    person.seen = spanOf(person.seen, seen);
    for (const cell of cells.values()) addCell(person.cells, cell);
    absorbLatency(person.latency.chat, latency.chat);
    absorbLatency(person.latency.completions, latency.completions);
  }
}

export function emptyLatency(): Latency {
  return { firstToken: new Map(), duration: new Map() };
}

export function absorbLatency(into: Latency, from: Latency): void {
  absorbSketch(into.firstToken, from.firstToken);
  absorbSketch(into.duration, from.duration);
}

export function personOf({ users }: Day, user: string): Person {
  const known = users.get(user);
  if (known !== undefined) return known;
  const person: Person = {
    seen: undefined,
    cells: new Map(),
    latency: { chat: emptyLatency(), completions: emptyLatency() },
  };
  users.set(user, person);
  return person;
}

export function spanOf(one: Span | undefined, other: Span | undefined): Span | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return { firstMs: Math.min(one.firstMs, other.firstMs), lastMs: Math.max(one.lastMs, other.lastMs) };
}
