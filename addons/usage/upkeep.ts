/** What is done once a day: old records are deleted, and those of days that are over packed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from 'insight-dump';
import type { UsageContext } from './context.ts';
import { packDays } from './packing.ts';
import { describePruned, prune } from './prune.ts';

const LOOK_INTERVAL_MS = 60_000;
const HOUR_MS = 3_600_000;
/** After midnight, UTC: what ended before it is on disk by then. */
const REST_MS = 2 * HOUR_MS;

/** Goes on as long as this instance lives. What is to be done follows from the options of the moment. */
export async function lookAfter(ctx: UsageContext): Promise<void> {
  const { state, log, signal } = ctx;
  while (!signal.aborted) {
    const { retentionDays, gzip } = ctx.options;
    const day = new Date(Date.now() - REST_MS).toISOString().slice(0, 10);
    const due = JSON.stringify([day, retentionDays, gzip]);
    if (due !== state.lookedAfter) {
      state.lookedAfter = due;
      await lookAfterFiles(ctx).catch((error) => log.error(`old records stay as they are: ${messageOf(error)}`, error));
    }
    await sleep(LOOK_INTERVAL_MS, undefined, { signal, ref: false }).catch(() => {});
  }
}

async function lookAfterFiles(ctx: UsageContext): Promise<void> {
  const { options, paths, log, worker } = ctx;
  if (options.retentionDays !== undefined && worker.number === 1) {
    const how = { days: options.retentionDays, nowMs: Date.now(), isDry: false };
    const pruned = await prune(paths.logs, how);
    if (pruned.failures.length > 0) log.error(describePruned(pruned, how), pruned.failures);
    else if (pruned.files > 0) log.info(`🧹 ${describePruned(pruned, how)}`);
  }
  if (options.gzip) await packDays(Date.now() - REST_MS, ctx);
}
