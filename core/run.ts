import type { Flags } from './config.ts';
import { describeOptions } from './describe-options.ts';
import type { HostModules } from './evaluate.ts';
import { type LogSettings, Logs } from './log.ts';
import { Master, makePrivateFolder, prepare } from './master.ts';
import { readAddons } from './read-addons.ts';

/** Whoever asks twice to stop does not want to wait. */
const EXIT_IMPATIENT = 1;

/** Runs the proxy until it is asked to stop; then the process exits with 0. @throws InsightError when it cannot start */
export async function runProxy(
  flags: Flags,
  level: LogSettings['level'],
  modules: HostModules,
  version: string,
): Promise<void> {
  const prepared = await prepare(flags, modules);
  const { logs: dir } = prepared.settings.fixed;
  await makePrivateFolder('logs', dir);
  const logs = new Logs({ dir, level, color: process.stdout.isTTY === true && process.env.NO_COLOR === undefined });
  const master = new Master({ ...prepared, logs, version });
  // An addon's timer or forgotten promise is no reason to end.
  process.on('uncaughtException', (error) => master.report(error));
  process.on('unhandledRejection', (reason) => master.report(reason));
  // A file that may not grow (see ulimit -f) is an error for whoever writes it; Node would let the signal end the process.
  process.on('SIGXFSZ', () => {});
  // From here on, so that whoever stops it while it starts has its addons ended too.
  const started = master.start();
  stopOnSignals(started, master, logs);
  await started;
}

function stopOnSignals(started: Promise<void>, master: Master, logs: Logs): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, async () => {
      if (stopping) process.exit(EXIT_IMPATIENT);
      stopping = true;
      logs.child().info('👋 stopping');
      await started.catch(() => {});
      await master.stop();
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
