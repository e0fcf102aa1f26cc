/** Counts a day again from its records. */
import { around, dateIn, describePath, readRecords } from 'insight-dump';
import { addCell, toldIn } from './cells.ts';
import { add, type Day, emptyDay, personOf, spanOf, useOf } from './day.ts';
import { dayFile, metricsFolder, moveAside, readDay, writeDay } from './day-file.ts';
import { appendJournal, idIn, journalFile, journalWorkers, readJournal } from './journal.ts';
import { saidCountingMs } from './presence.ts';

export interface Rebuilt {
  /** Records that were counted. */
  readonly records: number;
  /** Records that could not be read. */
  readonly skipped: number;
}

/**
 * Writes the file of a day anew: from its records, and where there are none, from its journal. Of what is in the old one,
 * that remains which no record tells: what editors told of completions.
 *
 * @throws when less would be counted than was, or nothing, and when a proxy is counting that day; then everything is left
 *   as it is
 */
export async function rebuild(logs: string, date: string, timeZone: string): Promise<Rebuilt> {
  const folder = metricsFolder(logs);
  const saidMs = await saidCountingMs(folder, date);
  if (saidMs !== undefined) {
    const ago = `${Math.round(saidMs / 1_000)} s ago`;
    throw new Error(
      `a proxy is counting ${date} (it said so ${ago}), and would overwrite what is counted here: stop it first, or wait until the day is over`,
    );
  }
  const day = emptyDay(date);
  const ids = new Set<string>();
  const records = readRecords(logs, around(date));
  for await (const { insight } of records) {
    if (dateIn(timeZone, insight.endMs) !== date || ids.has(insight.id)) continue;
    ids.add(insight.id);
    const use = useOf(insight);
    if (use !== undefined) add(day, use);
  }
  const counted = exchangesIn(day) + (await addUnrecorded(folder, ids, day, timeZone));
  if (ids.size === 0 && counted === 0)
    throw new Error(`there are no records of ${date} to count; its metrics are left as they are`);
  const before = await readDay(folder, date, moveAside);
  if (counted < exchangesIn(before.day))
    throw new Error(
      `of ${exchangesIn(before.day)} exchanges that were counted on ${date}, there are records of ${counted}: the others were deleted or never recorded; its metrics are left as they are. To count those ${counted}, move ${describePath(dayFile(folder, date))} away first`,
    );
  keepUnrecorded(before.day, day);
  await noteIds(folder, date, ids);
  await writeDay(folder, day, { timeZone, journal: before.journal, others: before.others });
  return { records: ids.size, skipped: records.skipped };
}

/** Where there is a journal, what is in the file has to be known by it: or else the proxy counts it at its next start. */
async function noteIds(folder: string, date: string, ids: ReadonlySet<string>): Promise<void> {
  const missing = new Set(ids);
  let isThere = false;
  for (const worker of await journalWorkers(folder, date))
    for await (const line of readJournal(journalFile(folder, date, worker))) {
      isThere = true;
      missing.delete(idIn(line) ?? '');
    }
  if (isThere && missing.size > 0)
    await appendJournal(
      journalFile(folder, date),
      [...missing].map((id) => ({ rebuiltWith: id })),
    );
}

/** Adds what journals tell and no record does; returns how many exchanges that is. */
async function addUnrecorded(folder: string, ids: ReadonlySet<string>, day: Day, timeZone: string): Promise<number> {
  let added = 0;
  for (const worker of await journalWorkers(folder, day.date))
    for await (const line of readJournal(journalFile(folder, day.date, worker))) {
      if (!('n' in line) || line.use.cell.exchanges === 0 || ids.has(line.use.id)) continue;
      if (dateIn(timeZone, line.use.endMs) !== day.date) continue;
      add(day, line.use);
      added += line.use.cell.exchanges;
    }
  return added;
}

function exchangesIn({ users }: Day): number {
  const cells = [...users.values()].flatMap((person) => [...person.cells.values()]);
  return cells.reduce((sum, { exchanges }) => sum + exchanges, 0);
}

function keepUnrecorded(from: Day, into: Day): void {
  for (const [user, { cells, seen }] of from.users) {
    const told = [...cells.values()].flatMap((cell) => toldIn(cell) ?? []);
    if (told.length === 0) continue;
    const person = personOf(into, user);
    for (const cell of told) addCell(person.cells, cell);
    person.seen = spanOf(person.seen, seen);
  }
}
