/**
 * The journal of a day, `logs/metrics/journal_YYYY-MM-DD.ndjson`: a line for each use that was counted. It is written
 * before the day's file is, which says how many of its lines are in it; so what was counted is counted once, whenever the
 * proxy is killed. Of several workers, each has its own: `journal_YYYY-MM-DD.2.ndjson` is that of the second.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { codeOf } from 'insight-dump';
import { z } from 'zod';
import { MEASURES } from './cells.ts';
import type { Use } from './day.ts';

export type Line =
  /** A use with its number, from 1 on. */
  | { readonly n: number; readonly use: Use }
  /** Counting ended in order, at this time in milliseconds since the epoch. */
  | { readonly endMs: number }
  /** The id of an exchange that the file was made with when it was rebuilt. */
  | { readonly rebuiltWith: string };

const count = z.int().min(0);
const line = z.union([
  z.object({
    n: count,
    use: z.object({
      id: z.string(),
      user: z.string(),
      endMs: z.number(),
      cell: z.looseObject({
        groups: z.array(z.string()),
        ...(Object.fromEntries(MEASURES.map((name) => [name, count])) as Record<string, typeof count>),
      }),
    }),
  }),
  z.object({ endMs: z.number() }),
  z.object({ rebuiltWith: z.string() }),
]);

export function journalFile(folder: string, date: string, worker = 1): string {
  return path.join(folder, worker === 1 ? `journal_${date}.ndjson` : `journal_${date}.${worker}.ndjson`);
}

/** The dates of those that there are, in order. */
export async function journalDates(folder: string): Promise<string[]> {
  return [...new Set((await journals(folder)).map(({ date }) => date))].sort();
}

/** The workers that have one of that day, in order. */
export async function journalWorkers(folder: string, date: string): Promise<number[]> {
  const all = await journals(folder);
  return all.flatMap((each) => (each.date === date ? each.worker : [])).sort((one, other) => one - other);
}

async function journals(folder: string): Promise<{ date: string; worker: number }[]> {
  const names = await readdir(folder).catch((error) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  return names.flatMap((name) => {
    const [, date, worker = '1'] = /^journal_(\d{4}-\d\d-\d\d)(?:\.(\d{1,9}))?\.ndjson$/.exec(name) ?? [];
    return date === undefined ? [] : { date, worker: Number(worker) };
  });
}

/**
 * Its lines, one by one. Passed over are those that are torn, and those of a number that has been: a batch that could be
 * written in part only has been written again.
 */
export async function* readJournal(file: string): AsyncGenerator<Line> {
  let last = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
      const line = parseLine(text);
      if (line === undefined) continue;
      if ('n' in line) {
        if (line.n <= last) continue;
        last = line.n;
      }
      yield line;
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** Adds lines, and returns when they are on the disk. Made if it is missing. */
export async function appendJournal(file: string, lines: readonly Line[]): Promise<void> {
  const handle = await opened(file);
  try {
    // Behind a line that is torn, another begins.
    await handle.appendFile(lines.map((each) => `\n${lineText(each)}`).join(''));
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** The id of the exchange that a line is about. */
export function idIn(line: Line): string | undefined {
  if ('n' in line) return line.use.id;
  return 'rebuiltWith' in line ? line.rebuiltWith : undefined;
}

/** Those of all workers. */
export async function removeJournals(folder: string, date: string): Promise<void> {
  for (const worker of await journalWorkers(folder, date)) await rm(journalFile(folder, date, worker), { force: true });
}

async function opened(file: string) {
  try {
    return await open(file, 'a', 0o600);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    return open(file, 'a', 0o600);
  }
}

/** `node:readline` ends lines at the separators U+2028 and U+2029, too, which names may hold. */
function lineText(line: Line): string {
  return JSON.stringify(line).replace(/[\u2028\u2029]/g, (separator) => `\\u${separator.charCodeAt(0).toString(16)}`);
}

function parseLine(text: string): Line | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return line.safeParse(value).success ? (value as Line) : undefined;
  } catch {
    return undefined;
  }
}
