/**
 * Goes into processes of Node by `--import`, and tells how late their event loop was, and what their time went into.
 * Each SIGUSR2 ends one span and begins another; what there is to tell of the one that has ended is written to the file
 * that `BENCH_PROBE` names, as a `Told`. With `BENCH_PROFILE`, a CPU profile of the main thread is written there.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

export interface Told {
  /** How late the event loop was, 99th percentile, in ms. */
  readonly loopDelayP99Ms: number;
  /** How many spans have ended. */
  readonly spans: number;
}

const RESOLUTION_MS = 1;
const NS_PER_MS = 1e6;

const { BENCH_PROBE: file = '', BENCH_PROFILE: profileFile } = process.env;

async function watch(): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  let session: Session | undefined;
  if (profileFile !== undefined) {
    session = new Session();
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
  }
  let spans = 0;
  const tell = async () => {
    spans += 1;
    // What is measured is the time from one look to the next.
    const loopDelayP99Ms = Math.max(0, delay.percentile(99) / NS_PER_MS - RESOLUTION_MS);
    delay.reset();
    if (session !== undefined && profileFile !== undefined) {
      const { profile } = await session.post('Profiler.stop');
      writeFileSync(profileFile, JSON.stringify(profile));
      await session.post('Profiler.start');
    }
    writeFileSync(`${file}.new`, JSON.stringify({ loopDelayP99Ms, spans } satisfies Told));
    renameSync(`${file}.new`, file);
  };
  process.on('SIGUSR2', () => void tell());
}

if (isMainThread && file !== '') await watch();
