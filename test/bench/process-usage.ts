import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMs, rssBytes, watchRss } from '../process-stats.ts';
import type { Sample } from './measures.ts';
import type { Member } from './team.ts';

export const MIB_BYTES = 1024 ** 2;

/**
 * Does something, and tells what processor time it took from the entrant's process for each of what `work` counts, and
 * how late its event loop was. What the process goes on with afterwards, such as writing records, counts as well.
 */
export async function usageOf({ entrant: { pid }, loopDelay }: Member, work: () => Promise<number>): Promise<Sample> {
  if (pid === undefined) {
    await work();
    return {};
  }
  await loopDelay?.sinceLast();
  const beforeMs = cpuMs(pid);
  const many = await work();
  const delayMs = await loopDelay?.sinceLast();
  await settled(pid);
  return {
    cpuMs: (cpuMs(pid) - beforeMs) / many,
    rssMiB: rssBytes(pid) / MIB_BYTES,
    ...(delayMs !== undefined && { loopDelayP99Ms: delayMs }),
  };
}

/**
 * Does something, and tells what the resident memory of the entrant's process was before, and the most that it was.
 *
 * @throws when there is no process
 */
export async function memoryOf(
  { entrant: { pid } }: Member,
  work: () => Promise<void>,
): Promise<{ beforeMiB: number; peakMiB: number }> {
  if (pid === undefined) throw new Error('no process to look at');
  const beforeMiB = rssBytes(pid) / MIB_BYTES;
  const rss = watchRss(pid);
  try {
    await work();
  } finally {
    rss.stop();
  }
  return { beforeMiB, peakMiB: rss.stop() / MIB_BYTES };
}

const LOOK_MS = 150;
/** A process with nothing to do takes less, timers and all. */
const IDLE_MS = 10;
const SETTLE_LIMIT_MS = 15_000;

/** Waits until a process has nothing to do any more. */
export async function settled(pid: number): Promise<void> {
  const end = performance.now() + SETTLE_LIMIT_MS;
  for (let last = cpuMs(pid); performance.now() < end; ) {
    await sleep(LOOK_MS);
    const now = cpuMs(pid);
    if (now - last <= IDLE_MS) return;
    last = now;
  }
}
