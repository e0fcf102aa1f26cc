/**
 * All telemetry of a day, `logs/telemetry/telemetry_YYYY-MM-DD.ndjson`: a batch on each line. Of several workers, each has
 * a file of its own: `telemetry_YYYY-MM-DD.2.ndjson` is that of the second.
 */
import { appendFile, mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { type Context, codeOf, describePath, messageOf, redact, telemetryFile } from 'insight-dump';

export interface Journal {
  /** The last writing, done or to be done. */
  written: Promise<void>;
  /** Characters that wait to be written. */
  waiting: number;
  /** Batches that could not be written since the last one that could. */
  lost: number;
}

export interface Entry {
  /** In UTC. */
  readonly time: string;
  readonly user: string;
  readonly events: readonly unknown[];
}

const MAX_DAY_BYTES = 1024 * 1024 * 1024;
const MAX_WAITING_CHARACTERS = 32 * 1024 * 1024;

export function newJournal(): Journal {
  return { written: Promise.resolve(), waiting: 0, lost: 0 };
}

/** Has a batch written, after those before it. Nothing waits for it. */
export function record(entry: Entry, ctx: Context<unknown, Journal>): void {
  const { state } = ctx;
  let line: string;
  try {
    line = `${JSON.stringify(entry, withoutCredentials)}\n`;
  } catch (error) {
    // Nested so deep that it cannot be written.
    ctx.log.debug('telemetry that is not written', error);
    return;
  }
  if (state.waiting + line.length > MAX_WAITING_CHARACTERS) {
    lose(new Error('the disk is too slow'), ctx);
    return;
  }
  state.waiting += line.length;
  state.written = state.written.then(() => append(entry.time.slice(0, 10), line, ctx));
}

function withoutCredentials(_key: string, value: unknown): unknown {
  return typeof value === 'string' ? redact(value) : value;
}

async function append(date: string, line: string, ctx: Context<unknown, Journal>): Promise<void> {
  const { state, paths, log, worker } = ctx;
  const file = path.join(paths.logs, telemetryFile(date, worker.number));
  try {
    if ((await sizeOf(file)) + Buffer.byteLength(line) > MAX_DAY_BYTES)
      throw new Error(`${describePath(file)} has its ${MAX_DAY_BYTES} bytes for the day`);
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await appendFile(file, line, { mode: 0o600 });
    if (state.lost > 0) log.warn(`telemetry is recorded again; batches lost: ${state.lost}`);
    state.lost = 0;
  } catch (error) {
    lose(error, ctx);
  } finally {
    state.waiting -= line.length;
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

function lose(error: unknown, { state, log }: Context<unknown, Journal>): void {
  state.lost += 1;
  if (state.lost === 1) log.error(`cannot record telemetry: ${messageOf(error)}; it passes all the same`, error);
}
