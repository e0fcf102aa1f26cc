/** Takes records from the queue to the disk. */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from 'insight-dump';
import type { UsageContext } from './context.ts';
import { type Item, put, retry, settle, take, waiting } from './queue.ts';
import { byTarget, endThread, type Sink, sinks } from './sink.ts';

const RETRY_PAUSE_MS = 1_000;
/** What comes meanwhile waits no longer than that. */
const LOOK_PAUSE_MS = 100;
const SYNC_INTERVAL_MS = 1_000;
/** Less than a hook may take. */
const MAX_WAIT_MS = 8_000;
/** Each that is waited for holds its exchange in memory besides. */
const MAX_WAITED_FOR = 1_000;
/** An addon's end may take somewhat longer; what is not on the disk by then waits for the next start, in the journal. */
const MAX_SETTLE_MS = 3_000;
const MIB = 1024 * 1024;

/** Takes a record; it is written soon. Where too many wait, one is lost, which is said when it begins. */
export function enqueue(item: Item, ctx: UsageContext): void {
  const { options, state, log } = ctx;
  const { queue } = state;
  put(queue, item, { maxItems: options.maxQueued, maxBytes: options.maxQueuedMiB * MIB });
  if (queue.dropped > queue.droppedSaid && !state.losing) {
    state.losing = true;
    const limits = `maxQueued: ${options.maxQueued}, maxQueuedMiB: ${options.maxQueuedMiB}`;
    log.error(
      `records are lost: ${waiting(queue)} wait for the disk, and more are not to (${limits}); traffic goes on`,
    );
  }
  beginWriting(ctx);
}

/**
 * The same, and waits until it is on the disk: what is counted behind that has its record, whenever the proxy is killed.
 * A disk that does not work, or is too slow, is not waited for.
 */
export async function enqueueAndWait(item: Item, ctx: UsageContext): Promise<void> {
  if (waiting(ctx.state.queue) >= MAX_WAITED_FOR) {
    enqueue(item, ctx);
    return;
  }
  let limit: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    limit = setTimeout(resolve, MAX_WAIT_MS).unref();
    enqueue({ ...item, settled: resolve }, ctx);
  });
  clearTimeout(limit);
}

/** Begins to write what waits, unless that is under way. */
export function beginWriting(ctx: UsageContext): void {
  if (waiting(ctx.state.queue) > 0) ctx.state.writing ??= keepWriting(ctx);
}

/** Writes all that waits, trying each once more; for an instance that ends. What is left waits for the next. */
export async function finishWriting(ctx: UsageContext): Promise<void> {
  const { state, log } = ctx;
  // The pauses have ended with the signal.
  await state.writing;
  retry(state.queue);
  beginWriting(ctx);
  await state.writing;
  await state.syncing;
  await syncAll(ctx);
  await endThread(ctx.paths.logs, MAX_SETTLE_MS);
  const { failed, dropped } = state.queue;
  if (failed.length > 0) log.error(`${failed.length} exchanges could not be recorded so far`);
  if (dropped > 0) log.warn(`${dropped} exchanges were not recorded since the proxy began: too many were waiting`);
}

/** Writes until nothing waits; an instance that has ended leaves what it could not write. */
async function keepWriting(ctx: UsageContext): Promise<void> {
  const { options, state, signal, paths, worker } = ctx;
  const { queue } = state;
  const isClosed = (file: string) => state.packing === file;
  while (waiting(queue) > 0) {
    if (queue.failed.length > 0 && performance.now() >= state.retryAtMs) retry(queue);
    if (queue.fresh.length === 0) {
      if (signal.aborted) break;
      await sleep(LOOK_PAUSE_MS, undefined, { signal }).catch(() => {});
      continue;
    }
    const batch = take(queue);
    const ways = sinks({ logs: paths.logs, maxFileBytes: options.maxFileMiB * MIB, worker, isClosed });
    for (const format of ['json', 'ndjson'] as const)
      await writeAll(byTarget(batch.filter((item) => item.format === format)), ways[format], ctx);
    sayRecovered(ctx);
  }
  // In one go with the look above: what comes from here on begins to write anew.
  state.writing = undefined;
}

async function writeAll(groups: Item[][], sink: Sink, ctx: UsageContext): Promise<void> {
  await Promise.all(
    Array.from({ length: Math.min(sink.atOnce, groups.length) }, async () => {
      for (let group = groups.shift(); group !== undefined; group = groups.shift()) await writeGroup(group, sink, ctx);
    }),
  );
}

async function writeGroup(items: readonly Item[], sink: Sink, ctx: UsageContext): Promise<void> {
  const { options, state, log } = ctx;
  let file: string;
  try {
    file = await sink.write(items, options.fsync === 'always');
  } catch (error) {
    settle(state.queue, items, false);
    state.retryAtMs = performance.now() + RETRY_PAUSE_MS;
    if (!state.failing) {
      const limits = `up to ${options.maxQueued} or ${options.maxQueuedMiB} MiB`;
      log.error(`cannot record: ${messageOf(error)}; traffic goes on, and records wait until it can, ${limits}`, error);
    }
    state.failing = true;
    return;
  }
  settle(state.queue, items, true);
  if (options.fsync === 'interval') syncSoon(file, ctx);
  const shown = path.relative('', file);
  for (const { said, level } of items) log[level](`${said} 😄 ${shown}`);
}

function sayRecovered({ state, log }: UsageContext): void {
  const { queue } = state;
  if (queue.failed.length > 0 || queue.fresh.length > 0 || !(state.failing || state.losing)) return;
  state.failing = false;
  state.losing = false;
  log.warn(`recording again; ${queue.dropped - queue.droppedSaid} exchanges could not be recorded`);
  queue.droppedSaid = queue.dropped;
}

// -------------------------------------------------------------------------------------------------------------- to disk

function syncSoon(file: string, ctx: UsageContext): void {
  const { state, signal } = ctx;
  state.unsynced.add(file);
  state.syncing ??= sleep(SYNC_INTERVAL_MS, undefined, { signal })
    .catch(() => {})
    .then(() => syncAll(ctx))
    .finally(() => {
      state.syncing = undefined;
    });
}

async function syncAll({ state, log }: UsageContext): Promise<void> {
  const files = [...state.unsynced];
  state.unsynced.clear();
  for (const file of files) {
    try {
      const handle = await open(file, 'r+');
      await handle.datasync().finally(() => handle.close());
    } catch (error) {
      // Deleted or packed meanwhile, mostly; nothing that is written is lost but by a loss of power.
      log.debug(`${path.relative('', file)} is not forced to the disk: ${messageOf(error)}`);
    }
  }
}
