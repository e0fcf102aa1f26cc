/**
 * Counts each user's chats and completions by editor and language, in `logs/metrics/copilot-usage_YYYY-MM-DD.json`
 * (days are UTC). It goes on from what the file says after a restart.
 */
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, type CopilotExchange, defineAddon, writeWholeFile } from 'insight-dump';
import { z } from 'zod';

const count = z.int().min(0);

/** The day's file, key for key as copilot-proxy-insight writes it. */
const DAY = z.object({
  day: z.string(),
  total_chat_turns: count,
  total_completions_count: count,
  usage: z.record(
    z.string(),
    z.object({
      chat_turns: count,
      completions_count: count,
      chat: z.record(z.string(), count),
      completions: z.record(z.string(), z.record(z.string(), count)),
    }),
  ),
});

type Day = z.infer<typeof DAY>;

/** What the counts of a day grow by. */
interface Use {
  readonly user: string;
  readonly as: 'turn' | 'completion';
  readonly editor: string;
  readonly language: string;
}

interface OpenDay {
  readonly date: string;
  readonly file: string;
  /** What the file says, and what has been added since; undefined until the file has been read. */
  counts: Day | undefined;
  /** What is not in `counts` yet. */
  readonly backlog: Use[];
  dirty: boolean;
  writing: Promise<void> | undefined;
}

interface State {
  /** By date. They are few: yesterday's goes when it is written. */
  days: Map<string, OpenDay>;
  failing: boolean;
}

type MetricsContext = Context<unknown, State>;

export default defineAddon({
  name: 'metrics',
  state: (): State => ({ days: new Map(), failing: false }),

  exchange(exchange, _flow, ctx: MetricsContext) {
    const { as } = exchange.counted;
    if (exchange.keep === 'nothing') return;
    if (as === 'turn' || as === 'completion') countUse(exchange, as, ctx);
  },

  async done(ctx) {
    for (const day of ctx.state.days.values()) {
      await day.writing;
      // The old signal has ended the pauses; what came in meanwhile, and what could not be written, has one more try.
      await keepWriting(day, ctx);
    }
  },
});

function countUse({ user, editor, language, endMs }: CopilotExchange, as: Use['as'], ctx: MetricsContext): void {
  const day = dayOf(endMs, ctx);
  day.backlog.push({ user, as, editor, language });
  day.writing ??= keepWriting(day, ctx);
}

function add(counts: Day, { user, as, editor, language }: Use): void {
  const mine = entry(counts.usage, user, () => ({
    chat_turns: 0,
    completions_count: 0,
    chat: Object.create(null),
    completions: Object.create(null),
  }));
  if (as === 'turn') {
    counts.total_chat_turns += 1;
    mine.chat_turns += 1;
    mine.chat[editor] = entry(mine.chat, editor, () => 0) + 1;
  } else {
    counts.total_completions_count += 1;
    mine.completions_count += 1;
    const languages = entry(mine.completions, editor, () => Object.create(null) as Record<string, number>);
    languages[language] = entry(languages, language, () => 0) + 1;
  }
}

function entry<T>(record: Record<string, T>, key: string, first: () => T): T {
  record[key] ??= first();
  return record[key];
}

// ------------------------------------------------------------------------------------------------------------- the file

function dayOf(ms: number, { state, paths }: MetricsContext): OpenDay {
  const date = dateOf(ms);
  const known = state.days.get(date);
  if (known !== undefined) return known;
  const file = path.join(paths.logs, 'metrics', `copilot-usage_${date}.json`);
  const day: OpenDay = { date, file, counts: undefined, backlog: [], dirty: false, writing: undefined };
  state.days.set(date, day);
  return day;
}

/** The UTC date. */
function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

async function readDay({ file, date }: OpenDay, { log }: MetricsContext): Promise<Day> {
  const empty: Day = { day: date, total_chat_turns: 0, total_completions_count: 0, usage: Object.create(null) };
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return empty;
    throw error;
  }
  try {
    const counts = JSON.parse(text, withoutPrototype);
    DAY.parse(counts);
    return counts as Day;
  } catch (error) {
    const aside = `${file}.broken-${Date.now()}`;
    await rename(file, aside);
    log.error(
      `${path.relative('', file)} is damaged; it is now ${path.basename(aside)}, and counting starts anew`,
      error,
    );
    return empty;
  }
}

/** Names come from clients, and one of them may be `__proto__`. */
function withoutPrototype(_key: string, value: unknown): unknown {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isRecord ? Object.assign(Object.create(null), value) : value;
}

/** Counts that come within this time are written together. */
const WRITE_PAUSE_MS = 200;
const RETRY_PAUSE_MS = 2_000;

/** Writes until the file says it all. What cannot be written is kept and tried again, until the addon ends. */
async function keepWriting(day: OpenDay, ctx: MetricsContext): Promise<void> {
  const { state, log, signal } = ctx;
  while (day.backlog.length > 0 || day.dirty) {
    let pauseMs = WRITE_PAUSE_MS;
    try {
      await write(day, ctx);
      if (state.failing) log.warn(`${path.relative('', day.file)} is written again, nothing is missing in it`);
      state.failing = false;
    } catch (error) {
      if (!state.failing) log.error(`cannot keep metrics: ${(error as Error).message}; they are tried again`, error);
      state.failing = true;
      if (signal.aborted) break;
      pauseMs = RETRY_PAUSE_MS;
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
  // In one go with the look above: what is counted from here on begins to write anew.
  day.writing = undefined;
  if (day.date < dateOf(Date.now()) && day.backlog.length === 0) state.days.delete(day.date);
}

/** Whole or not at all. */
async function write(day: OpenDay, ctx: MetricsContext): Promise<void> {
  const counts = day.counts ?? (await readDay(day, ctx));
  day.counts = counts;
  for (const use of day.backlog.splice(0)) add(counts, use);
  day.dirty = true;
  const text = `${JSON.stringify(counts, null, 2)}\n`;
  await mkdir(path.dirname(day.file), { recursive: true, mode: 0o700 });
  await writeWholeFile(day.file, text, { mode: 0o600 });
  day.dirty = false;
}
