/**
 * Finds what an earlier run has recorded and not counted, since it was killed in between.
 *
 * Records and counts are written side by side, and either may be ahead. The journals say which exchanges were counted;
 * each that has a record and is not in them is counted now. So records are looked through from shortly before the last
 * line of the last journal on: which is little, however the earlier run ended. Of several workers, each looks for what the
 * one before it with its number has left, as that cannot come to be counted by itself any more.
 */
import { around, dateIn, readRecords } from 'insight-dump';
import type { MetricsContext } from './context.ts';
import { useOf } from './day.ts';
import { dayDates, metricsFolder } from './day-file.ts';
import { appendJournal, idIn, journalDates, journalFile, journalWorkers, readJournal } from './journal.ts';
import { count, settle } from './keeping.ts';
import { isInCareOf } from './workers.ts';

/** Nothing is as long on its way from its end to the counts: hooks have time limits. */
const LONGEST_WAY_MS = 3_600_000;

/** What there is of earlier runs. */
interface Earlier {
  /** The dates of the journals, in order. */
  readonly dates: readonly string[];
  /** What is in them, or will be. */
  readonly ids: ReadonlySet<string>;
  /** Since when there may be something that was not counted; undefined if nothing was. */
  readonly lastMs: number | undefined;
  /** Days whose counts are known, but not what they were made of. */
  readonly closed: ReadonlySet<string>;
}

/**
 * Counts what is missing. May take its time, since what is counted meanwhile is of this run; ends early when the addon
 * does, and is done again at the next start.
 */
export async function catchUp(ctx: MetricsContext): Promise<void> {
  const { state, paths, options, signal, log, worker } = ctx;
  if (state.isCaughtUp) return;
  const reading = readEarlier(ctx);
  // Nothing is added to them before they have been read. Whoever waits for it is not told of what fails here.
  state.earlier = reading.catch(() => {});
  const { dates, ids, lastMs, closed } = await reading;
  for (const date of dates) settle(date, ctx);
  const today = dateIn(options.timeZone, state.sinceMs);
  const firstDate = dates[0] ?? today;
  const fromMs = lastMs === undefined ? around(today).fromMs : lastMs - LONGEST_WAY_MS;
  let found = 0;
  for await (const { insight } of readRecords(paths.logs, { fromMs, untilMs: state.sinceMs })) {
    if (signal.aborted) return;
    if (!isInCareOf(worker, insight.worker ?? 1)) continue;
    const date = dateIn(options.timeZone, insight.endMs);
    if (date < firstDate || closed.has(date) || ids.has(insight.id)) continue;
    const use = useOf(insight);
    if (use === undefined) continue;
    count(use, ctx);
    found += 1;
  }
  state.isCaughtUp = true;
  if (found > 0) log.info(`📈 ${found} exchanges are counted that were recorded before, and not counted`);
}

/** Says in the journal of the day that counting has ended in order. */
export async function endJournal({ paths, options, state, worker }: MetricsContext): Promise<void> {
  const folder = metricsFolder(paths.logs);
  const date = dateIn(options.timeZone, Date.now());
  const isComplete = state.isCaughtUp && [...state.days.values()].every(({ dirty, backlog }) => !dirty && !backlog[0]);
  if (isComplete && (await journalWorkers(folder, date)).includes(worker.number))
    await appendJournal(journalFile(folder, date, worker.number), [{ endMs: Date.now() }]);
}

async function readEarlier({ paths, state, worker }: MetricsContext): Promise<Earlier> {
  const folder = metricsFolder(paths.logs);
  const dates = await journalDates(folder);
  // After a reload, some of an earlier run may have been found, and not have been written.
  const ids = new Set([...state.days.values()].flatMap(({ backlog }) => backlog.map(({ id }) => id)));
  const lastOf = new Map<number, number>();
  for (const date of dates)
    for (const each of await journalWorkers(folder, date))
      for await (const line of readJournal(journalFile(folder, date, each))) {
        const id = idIn(line);
        if (id !== undefined) ids.add(id);
        if (isInCareOf(worker, each) && !('rebuiltWith' in line))
          lastOf.set(each, 'n' in line ? line.use.endMs : line.endMs);
      }
  // One that has a journal and nothing of its own in it may have recorded, and not have come to counting.
  const lastMs = lastOf.has(worker.number) ? Math.min(...lastOf.values()) : undefined;
  const closed = new Set((await dayDates(folder)).filter((date) => !dates.includes(date)));
  return { dates, ids, lastMs, closed };
}
