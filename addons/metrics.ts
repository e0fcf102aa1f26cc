/**
 * Counts each user's chats and completions by editor and language, in `logs/metrics/copilot-usage_YYYY-MM-DD.json`
 * (days are UTC). It goes on from what the file says after a restart.
 */
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, copilotExchange, defineAddon, type Flow } from 'insight-dump';
import writeFileAtomic from 'write-file-atomic';
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

interface OpenDay {
  readonly file: string;
  readonly counts: Day;
  /** There is more than the file says. */
  dirty: boolean;
  writing: Promise<void> | undefined;
}

interface State {
  /** By date. They are few: yesterday's goes when it is written. */
  days: Map<string, Promise<OpenDay>>;
  failing: boolean;
}

type MetricsContext = Context<unknown, State>;

export default defineAddon({
  name: 'metrics',
  state: (): State => ({ days: new Map(), failing: false }),
  response: countFlow,
  error: countFlow,

  async done({ state }) {
    for (const opened of state.days.values()) {
      const day = await opened;
      while (day.writing !== undefined) await day.writing;
    }
  },
});

async function countFlow(flow: Flow, ctx: MetricsContext): Promise<void> {
  const exchange = copilotExchange(flow);
  if (exchange === undefined || !exchange.complete || flow.metadata.uncounted !== undefined) return;
  const date = new Date(flow.timings.end ?? Date.now()).toISOString().slice(0, 10);
  const day = await dayOf(date, ctx);
  add(day.counts, flow.client.user ?? 'anonymous', exchange);
  day.dirty = true;
  day.writing ??= keepWriting(day, ctx).finally(() => {
    day.writing = undefined;
    const today = new Date().toISOString().slice(0, 10);
    if (date < today) ctx.state.days.delete(date);
  });
}

function add(
  counts: Day,
  user: string,
  { kind, editor, language }: { kind: string; editor: string; language: string },
): void {
  const mine = entry(counts.usage, user, () => ({
    chat_turns: 0,
    completions_count: 0,
    chat: Object.create(null),
    completions: Object.create(null),
  }));
  if (kind === 'chat') {
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

function dayOf(date: string, ctx: MetricsContext): Promise<OpenDay> {
  const { days } = ctx.state;
  const opened = days.get(date) ?? open(date, ctx);
  days.set(date, opened);
  // What could not be read may be readable next time.
  opened.catch(() => days.delete(date));
  return opened;
}

async function open(date: string, ctx: MetricsContext): Promise<OpenDay> {
  const file = path.join(ctx.paths.logs, 'metrics', `copilot-usage_${date}.json`);
  return { file, counts: await readDay(file, date, ctx), dirty: false, writing: undefined };
}

async function readDay(file: string, date: string, { log }: MetricsContext): Promise<Day> {
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
  return typeof value === 'object' && value !== null ? Object.assign(Object.create(null), value) : value;
}

/** Counts that come within this time are written together. */
const WRITE_PAUSE_MS = 200;
const RETRY_PAUSE_MS = 5_000;

async function keepWriting(day: OpenDay, { state, log, signal }: MetricsContext): Promise<void> {
  while (day.dirty) {
    day.dirty = false;
    let pauseMs = WRITE_PAUSE_MS;
    try {
      await mkdir(path.dirname(day.file), { recursive: true, mode: 0o700 });
      await writeFileAtomic(day.file, `${JSON.stringify(day.counts, null, 2)}\n`, { mode: 0o600 });
      if (state.failing) log.warn(`${path.relative('', day.file)} is written again, nothing is missing in it`);
      state.failing = false;
    } catch (error) {
      if (!state.failing)
        log.error(`cannot write metrics: ${(error as Error).message}; they are kept and tried again`, error);
      state.failing = true;
      day.dirty = true;
      if (signal.aborted) return;
      pauseMs = RETRY_PAUSE_MS;
    }
    if (!signal.aborted) await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
}
