/** Counts a day again from its records. */
import { readRecords } from 'insight-dump';
import { addCell } from './cells.ts';
import { add, type Day, emptyDay, personOf, useOf } from './day.ts';
import { metricsFolder, moveAside, readDay, writeDay } from './day-file.ts';
import { appendJournal, idIn, journalFile, journalWorkers, readJournal } from './journal.ts';
import { around, dateIn } from './time-zone.ts';

export interface Rebuilt {
  /** Records that were counted. */
  readonly records: number;
  /** Records that could not be read. */
  readonly skipped: number;
}

/**
 * Writes the file of a day anew. Of what is in the old one, that remains which no record tells: what editors told of
 * completions.
 *
 * @throws when there are no records of that day, and then leaves everything as it is
 */
export async function rebuild(logs: string, date: string, timeZone: string): Promise<Rebuilt> {
  const day = emptyDay(date);
  const ids = new Set<string>();
  const records = readRecords(logs, around(date));
  for await (const { insight } of records) {
    if (dateIn(timeZone, insight.endMs) !== date || ids.has(insight.id)) continue;
    ids.add(insight.id);
    const use = useOf(insight);
    if (use !== undefined) add(day, use);
  }
  if (ids.size === 0) throw new Error(`there are no records of ${date} to count; its metrics are left as they are`);
  const folder = metricsFolder(logs);
  const before = await readDay(folder, date, moveAside);
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

function keepUnrecorded(from: Day, into: Day): void {
  for (const [user, { cells }] of from.users)
    for (const cell of cells.values()) if (cell.exchanges === 0) addCell(personOf(into, user).cells, cell);
}
