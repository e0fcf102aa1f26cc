/** `insight-dump report`: what has been counted, and how it is counted again. */
import { parseArgs } from 'node:util';
import { type CommandContext, dateIn, describePath, isDate, messageOf } from 'insight-dump';
import type { MetricsOptions } from './context.ts';
import { absorb, type Day, emptyDay } from './day.ts';
import { dayDates, dayFile, metricsFolder, readDay } from './day-file.ts';
import { githubReport } from './github-report.ts';
import { journalDates } from './journal.ts';
import { rebuild } from './rebuild.ts';
import { DIMENSIONS, type Dimension, rowsOf } from './report-rows.ts';
import { csvText, jsonText, tableText } from './report-text.ts';

const USAGE = `insight-dump report [DAY]           print what was counted on a day: 2026-01-31; today if it is not said
  --from DAY --to DAY               of several days: from the first one, and to today, where one is not said
  --by user|team|model|language|editor
  --format table|json|csv|ndjson    ndjson: a line for each user and day, with the names of GitHub's usage reports
  --rebuild                         count the day again from its records, and write its file, before
`;

const FORMATS = ['table', 'json', 'csv', 'ndjson'] as const;

type ReportContext = CommandContext<MetricsOptions>;

interface Wanted {
  readonly by: Dimension;
  readonly format: (typeof FORMATS)[number];
  readonly from: string | undefined;
  readonly to: string;
}

const FLAGS = {
  rebuild: { type: 'boolean' },
  format: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  by: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function reportCommand(args: readonly string[], ctx: ReportContext): Promise<string> {
  const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  if (values.help) return USAGE;
  const [day, ...more] = positionals;
  if (more.length > 0) throw ctx.usage(`expected one day, or --from and --to; got ${positionals.join(' ')}`);
  const isRange = values.from !== undefined || values.to !== undefined;
  if (isRange && day !== undefined) throw ctx.usage('expected a day, or --from and --to, not both');
  if (isRange && values.rebuild) throw ctx.usage('--rebuild counts one day again, not several');
  for (const each of [day, values.from, values.to])
    if (each !== undefined && !isDate(each)) throw ctx.usage(`expected a day as in 2026-01-31, not "${each}"`);
  const by = oneOf(DIMENSIONS, values.by ?? 'user', '--by', ctx);
  const format = oneOf(FORMATS, values.format ?? 'table', '--format', ctx);
  if (format === 'ndjson' && by !== 'user') throw ctx.usage('--format ndjson is by user');
  const today = dateIn(ctx.options.timeZone, Date.now());
  const from = isRange ? values.from : (day ?? today);
  const to = isRange ? (values.to ?? today) : (day ?? today);
  if (from !== undefined && from > to) throw ctx.usage(`--from ${from} is after --to ${to}`);
  if (!values.rebuild) return reportText(await readDays({ by, format, from, to }, ctx), { by, format, from, to });
  const { skipped } = await rebuild(ctx.paths.logs, to, ctx.options.timeZone);
  const text = reportText(await readDays({ by, format, from, to }, ctx), { by, format, from, to });
  return skipped > 0 && format === 'table' ? `${text}⚠️  records that could not be read: ${skipped}\n` : text;
}

function oneOf<T extends string>(known: readonly T[], given: string, flag: string, { usage }: ReportContext): T {
  const found = known.find((each) => each === given);
  if (found === undefined) throw usage(`${flag}: expected one of ${known.join(', ')}, not "${given}"`);
  return found;
}

/** @throws when nothing was counted on any of them, or when one of their files is damaged */
async function readDays({ from, to }: Wanted, { paths }: ReportContext): Promise<Day[]> {
  const folder = metricsFolder(paths.logs);
  const dates = [...new Set([...(await dayDates(folder)), ...(await journalDates(folder))])].sort();
  const days: Day[] = [];
  for (const date of dates.filter((each) => (from === undefined || each >= from) && each <= to)) {
    const { day } = await readDay(folder, date, (file, error) => {
      throw new Error(
        `${describePath(file)} is damaged (${messageOf(error)}); count it again: report ${date} --rebuild`,
      );
    });
    if (day.users.size > 0) days.push(day);
  }
  if (days.length > 0) return days;
  const when = from === to ? `on ${to}` : `from ${from ?? 'the beginning'} to ${to}`;
  throw new Error(`nothing was counted ${when}, by ${describePath(dayFile(folder, to))}`);
}

function reportText(days: readonly Day[], { by, format, to }: Wanted): string {
  if (format === 'ndjson') return days.map(githubReport).join('');
  const all = emptyDay(to);
  for (const day of days) absorb(all, day);
  const rows = rowsOf(all, by);
  if (rows.length === 0) throw new Error(`nobody who was counted was in a ${by}`);
  if (format === 'csv') return csvText(by, rows);
  return format === 'json' ? jsonText(by, rows) : tableText(by, rows);
}
