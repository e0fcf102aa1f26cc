import { MEASURES, type MeasureName } from './measures.ts';
import { figure, isMeasured, type Outcomes, ratio } from './rounds.ts';
import type { Spread } from './spread.ts';
import type { Ratio } from './work.ts';

/** Rows of cells, the first of them with the titles. */
export type Table = readonly (readonly string[])[];

interface Column {
  readonly title: string;
  cell(contestant: string): string;
}

/** What a work has come to: a row for each contestant, a column for each measure, and one for each ratio. */
export function tableOf(outcomes: Outcomes, measures: readonly MeasureName[], ratios: readonly Ratio[]): Table {
  const columns = [
    ...measures.filter((name) => isMeasured(outcomes, name)).map((name) => measureColumn(outcomes, name)),
    ...ratios
      .filter(({ measure, to }) => measures.includes(measure) && figure(outcomes, to, measure) !== undefined)
      .map((each) => ratioColumn(outcomes, each)),
  ];
  return [
    ['', ...columns.map(({ title }) => title)],
    ...[...outcomes].map(([contestant, outcome]) => [
      contestant,
      ...('failed' in outcome
        ? ['failed', ...columns.slice(1).map(() => '')]
        : columns.map(({ cell }) => cell(contestant))),
    ]),
  ];
}

function measureColumn(outcomes: Outcomes, name: MeasureName): Column {
  const { title, digits } = MEASURES[name];
  return { title, cell: (contestant) => written(figure(outcomes, contestant, name), digits) };
}

function ratioColumn(outcomes: Outcomes, { measure, to }: Ratio): Column {
  return {
    title: `${MEASURES[measure].title} / ${to}`,
    cell: (contestant) => written(ratio(outcomes, contestant, measure, to), RATIO_DIGITS),
  };
}

const RATIO_DIGITS = 2;

/** The median, and from where to where the middle half of the values goes. */
export function written(spread: Spread | undefined, digits: number): string {
  if (spread === undefined) return '–';
  const [median = '', low, high] = [spread.median, spread.low, spread.high].map((value) => value.toFixed(digits));
  return low === high ? median : `${median} (${low}–${high})`;
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
