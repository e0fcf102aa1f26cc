import cluster from 'node:cluster';
import { compile } from './compile.ts';
import type { Flags } from './config.ts';
import { findConfig } from './config-file.ts';
import { describeOptions } from './describe-options.ts';
import type { HostModules } from './evaluate.ts';
import type { LogSettings, Logs } from './log.ts';
import type { Master, MasterSettings } from './master.ts';
import { prepare } from './prepare.ts';
import { readAddons } from './read-addons.ts';

/** Whoever asks twice to stop does not want to wait. */
const EXIT_IMPATIENT = 1;

/**
 * Runs the proxy until it is asked to stop; then the process exits with 0.
 *
 * @throws InsightError when it cannot start
 */
export async function runProxy(
  flags: Flags,
  level: LogSettings['level'],
  modules: HostModules,
  version: string,
): Promise<void> {
  // A file that may not grow (see ulimit -f) is an error for whoever writes it; Node would let the signal end the process.
  process.on('SIGXFSZ', () => {});
  if (cluster.isWorker) {
    const { runWorker } = await import('./workers/worker.ts');
    return runWorker(flags, modules);
  }
  const config = findConfig(flags.config);
  // In a process of its own, esbuild builds the config while this one loads what a proxy is made of.
  const built = compile(config);
  built.catch(() => {});
  const { Logs, Master, Primary, greet, makePrivateFolder } = await loadProxy();
  const prepared = await prepare(flags, modules, config, { compile: () => built });
  const { logs: dir } = prepared.settings.fixed;
  await makePrivateFolder('logs', dir);
  const logs = new Logs({ dir, level, color: process.stdout.isTTY === true && process.env.NO_COLOR === undefined });
  const { workers = 1 } = flags;
  const given: MasterSettings = {
    ...prepared,
    logs,
    listens: (greeting) => greet(greeting, version, workers, logs.child()),
  };
  const proxy = workers === 1 ? new Master(given) : new Primary({ ...given, logs, workers });
  // An addon's timer or forgotten promise is no reason to end.
  process.on('uncaughtException', (error) => proxy.report(error));
  process.on('unhandledRejection', (reason) => proxy.report(reason));
  // From here on, so that whoever stops it while it starts has its addons ended too.
  const started = proxy.start();
  stopOnSignals(started, proxy, logs);
  await started;
}

/** What a proxy is made of: nine tenths of all that is built. */
async function loadProxy() {
  const [log, master, primary] = await Promise.all([
    import('./log.ts'),
    import('./master.ts'),
    import('./workers/primary.ts'),
  ]);
  return { ...log, ...master, ...primary };
}

function stopOnSignals(started: Promise<void>, proxy: Pick<Master, 'stop'>, logs: Logs): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, async () => {
      if (stopping) process.exit(EXIT_IMPATIENT);
      stopping = true;
      logs.child().info('👋 stopping');
      await started.catch(() => {});
      await proxy.stop();
      await logs.close();
      process.exit(0);
    });
  }
}

/** Prints the options of the addons that these flags would run. Loads none of them. @throws InsightError */
export async function printOptions(flags: Flags, modules: HostModules): Promise<void> {
  const { settings } = await prepare(flags, modules);
  const addons = await readAddons(settings.scripts, modules);
  process.stdout.write(describeOptions(addons));
}
