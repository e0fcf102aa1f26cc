/**
 * Says which days a proxy is counting, in `logs/metrics/counting`: what a command wrote of them would be lost to the
 * counts in its memory. It is said again and again, so that a proxy that was killed does not say it for long.
 */
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from 'insight-dump';

/** It is said as often. */
export const SAY_INTERVAL_MS = 5_000;
/** Since a disk can be slow. */
const BELIEVED_MS = 4 * SAY_INTERVAL_MS;

function presenceFile(folder: string): string {
  return path.join(folder, 'counting');
}

/** @throws when it cannot be written */
export async function sayCounting(folder: string, dates: readonly string[]): Promise<void> {
  if (dates.length === 0) return sayNothing(folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeFile(presenceFile(folder), dates.map((date) => `${date}\n`).join(''), { mode: 0o600 });
}

export async function sayNothing(folder: string): Promise<void> {
  await rm(presenceFile(folder), { force: true });
}

/** How long ago a proxy has said that it counts a day, in milliseconds; undefined if none does. */
export async function saidCountingMs(folder: string, date: string): Promise<number | undefined> {
  try {
    const file = presenceFile(folder);
    const dates = (await readFile(file, 'utf8')).split('\n');
    const agoMs = Date.now() - (await stat(file)).mtimeMs;
    return dates.includes(date) && agoMs < BELIEVED_MS ? Math.max(0, agoMs) : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
