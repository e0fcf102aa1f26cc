/** Brings back what a loss of power took of records, from the journals that are left of a proxy that did not stop in order. */
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { codeOf, messageOf } from 'insight-dump';
import type { UsageContext } from './context.ts';

/** Whose journals, and where. */
export interface LeftBehind {
  readonly logs: string;
  readonly worker: { readonly number: number; readonly count: number };
}

/** What became of them. */
export interface Recovered {
  /** Files of records that were missing, or not as they were written. */
  rewritten: number;
  /** Names of what is no journal, and was left alone. */
  readonly unknown: string[];
  /** Why a journal had to be left for the next start, as the system says it. */
  readonly failures: string[];
}

/** Less than a lifecycle hook may take: a disk that needs more is not waited for. */
const MAX_WAIT_MS = 4_000;

/** The first time in a process only: later ones would find the journals that are written now. Says what became of it. */
export async function recoverOnce({ state, paths, worker, log }: UsageContext): Promise<void> {
  if (state.isRecovered) return;
  state.isRecovered = true;
  const { number, count } = worker;
  const said = recover({ logs: paths.logs, worker: { number, count } })
    .then(({ rewritten, unknown, failures }) => {
      const folder = path.relative('', path.join(paths.logs, 'journal'));
      if (rewritten > 0)
        log.warn(`${rewritten} records are written again that were not on the disk when power was lost`);
      if (unknown.length > 0)
        log.warn(`${folder} has what is no journal of records, and is left alone: ${unknown.join(', ')}`);
      if (failures[0] !== undefined)
        log.error(
          `${failures.length} of ${folder} could not be written again, the next start tries it: ${failures[0]}`,
        );
    })
    .catch((error) => log.error(`journals of records are left for the next start: ${messageOf(error)}`, error));
  await Promise.race([said, sleep(MAX_WAIT_MS, undefined, { ref: false })]);
}

/**
 * Compares each record that a journal holds with its file, and writes those again that are not the same. Nothing is
 * touched if the system has not been started anew since. Then the journals are deleted. Left alone are those of other
 * workers, and of processes that live.
 *
 * @throws when there is no thread to be had, or the folder cannot be read
 */
export async function recover(left: LeftBehind): Promise<Recovered> {
  // What comes into the folder from now on is this process's.
  const names = await namesIn(path.join(left.logs, 'journal'));
  if (names.length === 0) return { rewritten: 0, unknown: [], failures: [] };
  const workerData = { ...left, names };
  const thread = new Worker(new URL('./recovery-worker.mjs', import.meta.url), { execArgv: [], workerData });
  const [recovered] = await once(thread, 'message');
  return recovered as Recovered;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return [];
  }
}
