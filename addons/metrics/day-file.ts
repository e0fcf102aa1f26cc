/** The file of a day, `logs/metrics/copilot-usage_YYYY-MM-DD.json`, and what its journals have beyond it. */
import { mkdir, readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, describePath, writeWholeFile } from 'insight-dump';
import { add, type Day, emptyDay } from './day.ts';
import { dayText, parseDay, type Written } from './day-text.ts';
import { journalFile, journalWorkers, readJournal } from './journal.ts';

export interface ReadDay {
  readonly day: Day;
  /** Lines of the journal that are in the counts: all there are. */
  readonly journal: number;
  /** The same of the journals of other workers than the first. */
  readonly others: Map<number, number>;
  /** There was more than the file says. */
  readonly isAhead: boolean;
}

export function metricsFolder(logs: string): string {
  return path.join(logs, 'metrics');
}

export function dayFile(folder: string, date: string): string {
  return path.join(folder, `copilot-usage_${date}.json`);
}

/** The dates of those that there are, in order. */
export async function dayDates(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((error) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  return names.flatMap((name) => /^copilot-usage_(\d{4}-\d\d-\d\d)\.json$/.exec(name)?.[1] ?? []).sort();
}

/**
 * The counts of a day, by its file and its journals.
 *
 * @param damaged what is done about a file that cannot be understood, before the journals alone are read
 */
export async function readDay(
  folder: string,
  date: string,
  damaged: (file: string, error: unknown) => unknown,
): Promise<ReadDay> {
  const { day, journal, others } = await readFileOf(folder, date, damaged);
  const known = new Map(others).set(1, journal);
  let isAhead = false;
  for (const worker of await journalWorkers(folder, date))
    for await (const line of readJournal(journalFile(folder, date, worker))) {
      if (!('n' in line) || line.n <= (known.get(worker) ?? 0)) continue;
      add(day, line.use);
      known.set(worker, line.n);
      isAhead = true;
    }
  const last = known.get(1) ?? 0;
  known.delete(1);
  return { day, journal: last, others: known, isAhead };
}

async function readFileOf(folder: string, date: string, damaged: (file: string, error: unknown) => unknown) {
  const file = dayFile(folder, date);
  try {
    const text = await readFile(file, 'utf8');
    try {
      return parseDay(text, date);
    } catch (error) {
      await damaged(file, error);
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  return { day: emptyDay(date), journal: 0, others: new Map<number, number>() };
}

/** Moves a file aside, and returns its new name. */
export async function moveAside(file: string): Promise<string> {
  const aside = `${file}.broken-${Date.now()}`;
  await rename(file, aside);
  return describePath(aside);
}

/** Whole or not at all, and readable by the owner only. */
export async function writeDay(folder: string, day: Day, written: Written): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeWholeFile(dayFile(folder, day.date), dayText(day, written), { mode: 0o600 });
}
