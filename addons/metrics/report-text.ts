/** A report's rows, as a table for people and as texts for programs. */
import { stringify } from 'csv-stringify/sync';
import { COLUMNS, type Dimension, type Row } from './report-rows.ts';

export function tableText(by: Dimension, rows: readonly Row[]): string {
  const columns = COLUMNS.filter(({ title }) => title !== undefined);
  const head = [by.toUpperCase(), ...columns.map(({ title = '' }) => title)];
  const body = rows.map(({ name, counts }) => [printable(name), ...columns.map(({ of }) => shown(of(counts)))]);
  const widths = head.map((_, i) => Math.max(...[head, ...body].map((cells) => cells[i]?.length ?? 0)));
  const line = ([name = '', ...numbers]: readonly string[]) =>
    [name.padEnd(widths[0] ?? 0), ...numbers.map((each, i) => each.padStart(widths[i + 1] ?? 0))].join('  ').trimEnd();
  return [head, ...body].map((cells) => `${line(cells)}\n`).join('');
}

/** As RFC 4180 has it. What a spreadsheet would take for a formula is made a text: names come from clients. */
export function csvText(by: Dimension, rows: readonly Row[]): string {
  const head = [by, ...COLUMNS.map(({ key }) => key)];
  const body = rows.map(({ name, counts }) => [name, ...COLUMNS.map(({ of }) => of(counts))]);
  return stringify([head, ...body], { escape_formulas: true, record_delimiter: 'windows' });
}

export function jsonText(by: Dimension, rows: readonly Row[]): string {
  const objects = rows.map(({ name, counts }) => ({
    [by]: name,
    ...Object.fromEntries(COLUMNS.map(({ key, of }) => [key, of(counts)])),
  }));
  return `${JSON.stringify(objects, null, 2)}\n`;
}

function shown(value: number | string | null): string {
  if (typeof value !== 'number') return value ?? '-';
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

const MAX_SHOWN_LENGTH = 64;

/** Names come from clients, and must not speak to the terminal. */
function printable(name: string): string {
  return name.replace(/\p{Cc}|\p{Cf}/gu, '·').slice(0, MAX_SHOWN_LENGTH);
}
