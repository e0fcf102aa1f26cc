import { setTimeout as sleep } from 'node:timers/promises';
import { cpuMs, rssBytes } from '../process-stats.ts';
import type { Sample } from './measures.ts';
import type { Member } from './team.ts';

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
    rssMiB: rssBytes(pid) / 1024 ** 2,
    ...(delayMs !== undefined && { loopDelayP99Ms: delayMs }),
  };
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
