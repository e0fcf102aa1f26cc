/** Keeps what is counted: in the journal first, then in the day's file. */
import { setTimeout as sleep } from 'node:timers/promises';
import { dateIn, describePath, messageOf, type Worker } from 'insight-dump';
import type { MetricsContext, OpenDay } from './context.ts';
import { add, emptyDay, type Use } from './day.ts';
import { dayFile, metricsFolder, moveAside, readDay, writeDay } from './day-file.ts';
import { appendJournal, journalDates, journalFile, removeJournals } from './journal.ts';
import { SAY_INTERVAL_MS, sayCounting } from './presence.ts';
import { absorbTold, hasFiles, type Told } from './workers.ts';

/** What is counted within this time is written together. So long it can be lost, unless there is a record of it. */
const WRITE_PAUSE_MS = 200;
const RETRY_PAUSE_MS = 2_000;
/** A file that takes long to write is written so much less often. */
const PAUSE_PER_WRITE = 10;
const DAY_MS = 86_400_000;

export function count(use: Use, ctx: MetricsContext): void {
  const day = dayOf(dateIn(ctx.options.timeZone, use.endMs), ctx);
  day.backlog.push(use);
  keep(day, ctx);
}

/** Counts what another worker has counted, if the files are this one's. */
export function hear(told: Told, ctx: MetricsContext): void {
  if (!hasFiles(ctx.worker)) return;
  const day = dayOf(told.date, ctx);
  day.told.push(told);
  keep(day, ctx);
}

/** Brings the file of a day up to what its journal says. */
export function settle(date: string, ctx: MetricsContext): void {
  const day = dayOf(date, ctx);
  day.dirty ||= day.counts === undefined;
  keep(day, ctx);
}

/** Goes on with what an earlier instance of the addon could not write. */
export function goOn(ctx: MetricsContext): void {
  for (const day of ctx.state.days.values()) keep(day, ctx);
}

/** Writes what there is. What cannot be written has one more try. */
export async function flush(ctx: MetricsContext): Promise<void> {
  for (const day of [...ctx.state.days.values()]) {
    await day.writing;
    await keep(day, ctx);
  }
}

function dayOf(date: string, { state }: MetricsContext): OpenDay {
  const known = state.days.get(date);
  if (known !== undefined) return known;
  const day: OpenDay = {
    ...{ date, counts: undefined, journal: 0, others: new Map(), told: [] },
    ...{ backlog: [], dirty: false, writing: undefined },
  };
  state.days.set(date, day);
  return day;
}

/** One writes at a time: what is in the backlog must not get into the journal twice. */
function keep(day: OpenDay, ctx: MetricsContext): Promise<void> | undefined {
  if (hasMore(day)) day.writing ??= keepWriting(day, ctx);
  return day.writing;
}

function hasMore({ backlog, told, dirty }: OpenDay): boolean {
  return backlog.length > 0 || told.length > 0 || dirty;
}

/** Writes until it is all written. What cannot be is kept and tried again, until the addon ends. */
async function keepWriting(day: OpenDay, ctx: MetricsContext): Promise<void> {
  const { state, log, signal, paths } = ctx;
  const file = describePath(dayFile(metricsFolder(paths.logs), day.date));
  while (hasMore(day)) {
    let pauseMs = WRITE_PAUSE_MS;
    try {
      await state.earlier;
      if (day.counts === undefined) await open(day, ctx);
      // To read what was counted before is done once, however long it takes.
      const sinceMs = performance.now();
      await write(day, ctx);
      if (state.failing) log.warn(`${file} is written again, nothing is missing in it`);
      state.failing = false;
      pauseMs = Math.max(pauseMs, (performance.now() - sinceMs) * PAUSE_PER_WRITE);
    } catch (error) {
      if (!state.failing) log.error(`cannot keep metrics: ${messageOf(error)}; they are tried again`, error);
      state.failing = true;
      if (signal.aborted) break;
      pauseMs = RETRY_PAUSE_MS;
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
  // In one go with the look above: what is counted from here on begins to write anew.
  day.writing = undefined;
  await forgetDays(ctx);
}

/** As long as this instance lives: says which days are counted, and forgets those that are over. */
export async function lookAfterDays(ctx: MetricsContext): Promise<void> {
  const { state, log, signal, paths, worker } = ctx;
  while (!signal.aborted) {
    await forgetDays(ctx);
    if (hasFiles(worker))
      await sayCounting(metricsFolder(paths.logs), [...state.days.keys()]).catch((error) =>
        log.debug(`cannot say which days are counted: ${messageOf(error)}`, error),
      );
    await sleep(SAY_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}

/** Those that are over and written. */
async function forgetDays(ctx: MetricsContext): Promise<void> {
  const { state, options, log, worker } = ctx;
  const today = dateIn(options.timeZone, Date.now());
  const over = [...state.days.values()].filter((day) => day.date < today && !hasMore(day) && day.writing === undefined);
  for (const { date } of over) state.days.delete(date);
  if (over.length > 0 && hasFiles(worker))
    await removeOldJournals(ctx).catch((error) => log.warn(`cannot remove old journals: ${messageOf(error)}`, error));
}

async function write(day: OpenDay, ctx: MetricsContext): Promise<void> {
  const { paths, options, log, worker } = ctx;
  const folder = metricsFolder(paths.logs);
  const counts = day.counts as NonNullable<OpenDay['counts']>;
  const uses = [...day.backlog];
  if (uses.length > 0) {
    const lines = uses.map((use, i) => ({ n: day.journal + i + 1, use }));
    await appendJournal(journalFile(folder, day.date, worker.number), lines);
    day.backlog.splice(0, uses.length);
    day.journal += uses.length;
    if (hasFiles(worker)) for (const use of uses) add(counts, use);
    else tell(day, lines, worker);
    day.dirty = true;
  }
  if (day.told.length > 0) {
    day.dirty = true;
    if (!absorbTold(day)) day.counts = undefined;
  }
  // What was not heard is read before anything is written.
  if (!day.dirty || day.counts === undefined) return;
  if (hasFiles(worker))
    await writeDay(folder, counts, { timeZone: options.timeZone, journal: day.journal, others: day.others });
  day.dirty = false;
  log.debug(`${day.date}: ${day.journal} uses are counted`);
}

async function open(day: OpenDay, ctx: MetricsContext): Promise<void> {
  const { log, paths, state, worker } = ctx;
  const folder = metricsFolder(paths.logs);
  // Before the file is read: from here on, nobody else may write it.
  if (hasFiles(worker)) await sayCounting(folder, [...state.days.keys()]);
  const {
    day: counts,
    journal,
    others,
    isAhead,
  } = await readDay(folder, day.date, async (file, error) => {
    if (!hasFiles(worker)) return;
    const aside = await moveAside(file);
    log.error(`${describePath(file)} is damaged; it is now ${aside}, and counts are those of the journal`, error);
  });
  if (hasFiles(worker)) {
    Object.assign(day, { counts, journal, others, dirty: isAhead });
    await removeOldJournals(ctx);
  } else {
    Object.assign(day, { counts: emptyDay(day.date), journal: others.get(worker.number) ?? 0, dirty: false });
    // It may have died before it told of its last lines.
    tell(day, [], worker);
  }
}

function tell({ date, journal }: OpenDay, lines: Told['lines'], { number, tell }: Worker): void {
  tell({ date, number, lines, last: journal } satisfies Told);
}

/** Of days that are settled, and long over: nothing is looked up in them any more. */
async function removeOldJournals({ paths, state, options }: MetricsContext): Promise<void> {
  const folder = metricsFolder(paths.logs);
  const yesterday = dateIn(options.timeZone, Date.now() - DAY_MS);
  for (const date of await journalDates(folder))
    if (date < yesterday && !state.days.has(date)) await removeJournals(folder, date);
}
