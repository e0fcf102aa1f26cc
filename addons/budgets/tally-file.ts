/** What has been used today: `logs/budgets.json`, so that a restart gives nobody a new budget. */
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, dateIn, describePath, messageOf, type Paths, writeWholeFile } from 'insight-dump';
import { z } from 'zod';
import type { BudgetsContext } from './context.ts';
import { type Day, keyOf, newDay, newTally } from './tallies.ts';

/** What is counted within this time is written together; no more than that is lost if the process is killed. */
const SAVE_AFTER_MS = 200;
const DAY_MS = 86_400_000;

const used = z.number().min(0);
const FILE = z.object({
  date: z.iso.date(),
  tallies: z.array(
    z.object({
      subject: z.union([
        z.object({ user: z.string() }),
        z.object({ group: z.string() }),
        z.object({ everyone: z.literal(true) }),
      ]),
      groups: z.array(z.string()),
      used: z.object({ turns: used, completions: used, tokens: used, credits: used }),
      warned: z.array(z.string()),
    }),
  ),
});

function fileOf({ logs }: Paths): string {
  return path.join(logs, 'budgets.json');
}

/** The day that the file tells of; undefined if there is none. @throws when it cannot be read, or is damaged */
export async function readDay(paths: Paths): Promise<Day | undefined> {
  let text: string;
  try {
    text = await readFile(fileOf(paths), 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  return parseDay(JSON.parse(text));
}

/** A day as JSON has it. */
export type PlainDay = z.infer<typeof FILE>;

/** @throws when it is none */
export function parseDay(value: unknown): Day {
  const { date, tallies } = FILE.parse(value);
  const day = newDay(date);
  for (const { subject, groups, used, warned } of tallies)
    day.tallies.set(keyOf(subject), { ...newTally(subject), groups, used, warned: new Set(warned) });
  return day;
}

export function plainDay({ date, tallies }: Day): PlainDay {
  const told = [...tallies.values()].map((tally) => ({
    ...tally,
    groups: [...tally.groups],
    warned: [...tally.warned],
  }));
  return { date, tallies: told };
}

/** The day that the file tells of; but a damaged file is moved aside, and what was used before is forgotten. @throws when it cannot be read */
export async function recoverDay({ paths, log, options }: BudgetsContext): Promise<Day | undefined> {
  try {
    const day = await readDay(paths);
    // Written while the clock was wrong, it would stay the day for long; in another time zone, it is tomorrow at most.
    return day !== undefined && day.date > dateIn(options.timeZone, Date.now() + DAY_MS) ? undefined : day;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
    const file = fileOf(paths);
    const aside = `${file}.broken-${Date.now()}`;
    await rename(file, aside);
    log.error(
      `${describePath(file)} is damaged; it is now ${path.basename(aside)}, and today's budgets are new`,
      error,
    );
    return undefined;
  }
}

/** Has it written soon; of several workers, the first one writes. */
export function save(ctx: BudgetsContext): void {
  const { state, worker } = ctx;
  if (worker.number !== 1) return;
  if (!state.dirty) state.saved = state.saved.then(() => write(ctx));
  state.dirty = true;
}

/** Waits for more to come, or the end; then writes it all. What cannot be written is written with what comes next. */
async function write({ state, paths, log, signal }: BudgetsContext): Promise<void> {
  await sleep(SAVE_AFTER_MS, undefined, { signal }).catch(() => {});
  state.dirty = false;
  const file = fileOf(paths);
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeWholeFile(file, `${JSON.stringify(plainDay(state.day), null, 2)}\n`, { mode: 0o600 });
    if (state.cannotSave) log.warn(`${describePath(file)} is written again, nothing is missing in it`);
    state.cannotSave = false;
  } catch (error) {
    if (!state.cannotSave)
      log.error(
        `cannot keep budgets over a restart: ${messageOf(error)}; it is tried again with what is used next`,
        error,
      );
    state.cannotSave = true;
  }
}
