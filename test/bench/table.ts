import { MEASURES, type MeasureName } from './measures.ts';
import type { Outcome, Outcomes } from './rounds.ts';
import type { Spread } from './spread.ts';
import type { Work } from './work.ts';

/** Rows of cells, the first of them with the titles. */
export type Table = readonly (readonly string[])[];

/** What a work has come to: a row for each contestant, a column for each measure. */
export function tableOf({ measures }: Work, outcomes: Outcomes): Table {
  const told = measures.filter((name) => [...outcomes.values()].some((outcome) => figure(outcome, name)));
  return [
    ['', ...told.map((name) => MEASURES[name].title)],
    ...[...outcomes].map(([contestant, outcome]) => [
      contestant,
      ...('failed' in outcome ? [`failed: ${outcome.failed}`] : told.map((name) => cell(outcome, name))),
    ]),
  ];
}

function figure(outcome: Outcome, name: MeasureName): Spread | undefined {
  return 'failed' in outcome ? undefined : outcome.figures[name];
}

function cell(outcome: Outcome, name: MeasureName): string {
  const spread = figure(outcome, name);
  return spread === undefined ? '–' : withSpread(spread, MEASURES[name].digits);
}

/** The median, and from where to where the middle half of the values goes. */
export function withSpread({ median, low, high }: Spread, digits: number): string {
  const [middle, from, to] = [median, low, high].map((value) => value.toFixed(digits));
  return from === to ? `${middle}` : `${middle} (${from}–${to})`;
}

/** For a console: columns side by side, the first to the left, the others to the right. */
export function asText(table: Table): string {
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const pad = (text: string, column: number) =>
    column === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[column] ?? 0);
  return table.map((row) => row.map(pad).join('  ').trimEnd()).join('\n');
}

export function asMarkdown(table: Table): string {
  const [titles = [], ...rows] = table;
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = titles.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(titles), line(rule), ...rows.map(line)].join('\n');
}
