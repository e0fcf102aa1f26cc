/** What the metrics' journals hold. */
import { idIn, journalDates, journalFile, journalWorkers, readJournal } from '../addons/metrics/journal.ts';

/** The ids of all exchanges in them, those of all workers. */
export async function journaledIds(folder: string): Promise<string[]> {
  const ids: string[] = [];
  for (const date of await journalDates(folder))
    for (const worker of await journalWorkers(folder, date))
      for await (const line of readJournal(journalFile(folder, date, worker))) ids.push(idIn(line) ?? '');
  return ids.filter((id) => id !== '');
}
