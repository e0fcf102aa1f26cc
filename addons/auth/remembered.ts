/**
 * Who came last from which address: `logs/usernames.json`, `{"10.0.0.7": "alice"}`. Where it is forgotten after some
 * days, an entry has a time, too: `{"10.0.0.7": {"user": "alice", "seen": "2026-11-25T14:50:18.000Z"}}`.
 */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describePath, messageOf, type Paths, putBounded, writeWholeFile } from 'insight-dump';
import { z } from 'zod';
import type { AuthContext } from './context.ts';
import { isMissing, readTextFile } from './text-file.ts';

export interface Sighting {
  readonly user: string;
  readonly seenMs: number;
}

export interface Remembered {
  /** By address. */
  readonly byAddress: Map<string, Sighting>;
  /** There is something in it that the file has not got yet, and that is going to be written. */
  dirty: boolean;
  /** The last writing, done or to be done. */
  saved: Promise<void>;
}

const DAY_MS = 24 * 60 * 60 * 1_000;
const MAX_ADDRESSES = 10_000;
/** Changes are written together. */
const SAVE_AFTER_MS = 500;
/** A time in the file may be so old: an editor opens many tunnels. */
const SEEN_AGAIN_AFTER_MS = 60 * 60 * 1_000;

const FILE = z.record(z.string(), z.union([z.string(), z.object({ user: z.string(), seen: z.iso.datetime() })]));

function fileOf({ logs }: Paths): string {
  return path.join(logs, 'usernames.json');
}

/** @throws when it is there and cannot be read; it is not ours to overwrite then */
export async function readRemembered(paths: Paths): Promise<Map<string, Sighting>> {
  const file = fileOf(paths);
  try {
    const { mtimeMs } = await stat(file);
    const text = await readTextFile(file);
    const entries = Object.entries(FILE.parse(JSON.parse(text)));
    return new Map(
      entries.map(([address, entry]): [string, Sighting] =>
        typeof entry === 'string'
          ? [address, { user: entry, seenMs: mtimeMs }]
          : [address, { user: entry.user, seenMs: Date.parse(entry.seen) }],
      ),
    );
  } catch (error) {
    if (isMissing(error)) return new Map();
    const why = error instanceof z.ZodError || error instanceof SyntaxError ? '' : `: ${messageOf(error)}`;
    throw new Error(`${describePath(file)} is no JSON object of {"address": "user"}${why}; repair it or move it away`);
  }
}

/** Whom to take a client for that sends no credentials; undefined when nobody has come from there, or too long ago. */
export function recall(address: string, { state, options }: AuthContext): string | undefined {
  const sighting = state.remembered?.byAddress.get(address);
  if (!options.rememberClients || sighting === undefined) return undefined;
  const { rememberDays = Number.POSITIVE_INFINITY } = options;
  return Date.now() - sighting.seenMs < rememberDays * DAY_MS ? sighting.user : undefined;
}

/** Notes who came from an address with the right credentials, to any worker; the first one has the file. */
export function remember(address: string, user: string, ctx: AuthContext): void {
  const { remembered } = ctx.state;
  if (!ctx.options.rememberClients || remembered === undefined) return;
  const before = remembered.byAddress.get(address);
  if (before?.user === user && Date.now() - before.seenMs < SEEN_AGAIN_AFTER_MS) return;
  putBounded(remembered.byAddress, address, { user, seenMs: Date.now() }, MAX_ADDRESSES);
  if (ctx.worker.number !== 1 || (before?.user === user && ctx.options.rememberDays === undefined)) return;
  if (!remembered.dirty) remembered.saved = remembered.saved.then(() => save(remembered, ctx));
  remembered.dirty = true;
}

/** Waits for more to come, or the end; then writes it all. */
async function save(remembered: Remembered, { options, paths, log, signal }: AuthContext): Promise<void> {
  await sleep(SAVE_AFTER_MS, undefined, { signal }).catch(() => {});
  remembered.dirty = false;
  const entries = [...remembered.byAddress].map(([address, { user, seenMs }]) => [
    address,
    options.rememberDays === undefined ? user : { user, seen: new Date(seenMs).toISOString() },
  ]);
  const file = fileOf(paths);
  try {
    await writeWholeFile(file, `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`, { mode: 0o600 });
  } catch (error) {
    log.error(`cannot write ${describePath(file)}: ${messageOf(error)}`, error);
  }
}
