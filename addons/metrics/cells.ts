/**
 * What a user's exchanges are counted in: one cell for all that have the same editor, model, language and so on. Every
 * other number of the metrics is a sum of cells, so that there is one place where things are counted.
 */
import { sum } from './sum.ts';

/** What the exchanges of a cell have in common. */
export interface Traits {
  /** What the user was in then. */
  readonly groups: readonly string[];
  /** `ide`, `cli`, `agent` or `unknown`. */
  readonly surface: string;
  /** As in `Counted`; `nothing` for those that failed or were cancelled before they could count. */
  readonly counted_as: string;
  /** `complete`, `cancelled` or `failed`. */
  readonly outcome: string;
  readonly editor: string;
  /** The one that was asked for. */
  readonly model: string;
  readonly language: string;
}

/** Completions, by what editors tell of them: no record does. */
const TOLD_MEASURES = ['shown', 'accepted', 'rejected', 'accepted_lines'] as const;

export const MEASURES = [
  'exchanges',
  'prompt_tokens',
  'completion_tokens',
  'cached_tokens',
  'reasoning_tokens',
  /** Exchanges whose tokens are an estimate. */
  'estimated',
  /** Exchanges of which the server said what it charged. */
  'charged',
  /** What it charged, in billionths of an AI credit: whole numbers. */
  'nano_credits',
  ...TOLD_MEASURES,
] as const;

/** What is summed up. */
export type Measures = Record<(typeof MEASURES)[number], number>;

export type Cell = Traits & Measures;
export type Cells = Map<string, Cell>;

export const NO_MEASURES = Object.fromEntries(MEASURES.map((name) => [name, 0])) as Measures;

/** Names come from clients: a user has no more cells than these, and a few for all the rest. */
export const MAX_CELLS = 1_000;
/** What stands for editor, model and language of the rest. */
export const OTHER = 'other';

/**
 * Adds a cell to others.
 *
 * Those beyond the limit are the last in the order of their keys, not the last to come: a cell that is among the first
 * of all is among the first of any part of them, and is never given away on the way. So sums are equal in whatever
 * order and grouping they are made.
 */
export function addCell(cells: Cells, cell: Cell): void {
  const key = keyOf(cell);
  const known = cells.get(key);
  cells.set(key, known === undefined ? cell : addMeasures(known, cell));
  if (known !== undefined || cells.size <= MAX_CELLS) return;
  let bounded = 0;
  let last = '';
  for (const [other, each] of cells) {
    if (isRest(each)) continue;
    bounded += 1;
    if (other > last) last = other;
  }
  if (bounded <= MAX_CELLS) return;
  const given = cells.get(last) as Cell;
  cells.delete(last);
  addCell(cells, { ...given, editor: OTHER, model: OTHER, language: OTHER });
}

/** By the order of their keys, which is that of a file. */
export function sortedCells(cells: Cells): Cell[] {
  return [...cells].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, cell]) => cell);
}

/** What editors told that is in a cell, as a cell of its own; undefined if they told nothing. */
export function toldIn(cell: Cell): Cell | undefined {
  if (TOLD_MEASURES.every((name) => cell[name] === 0)) return undefined;
  return { ...cell, ...NO_MEASURES, ...Object.fromEntries(TOLD_MEASURES.map((name) => [name, cell[name]])) };
}

/** The first with the measures of both. */
export function addMeasures<M extends Measures>(one: M, other: Measures): M {
  const both: Measures = { ...one };
  for (const name of MEASURES) both[name] = sum(one[name], other[name]);
  return both as M;
}

function isRest({ editor, model, language }: Cell): boolean {
  return editor === OTHER && model === OTHER && language === OTHER;
}

function keyOf({ groups, surface, counted_as, outcome, editor, model, language }: Traits): string {
  return JSON.stringify([editor, model, language, surface, counted_as, outcome, groups]);
}
