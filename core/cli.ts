#!/usr/bin/env node
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import packageJson from '../package.json' with { type: 'json' };
import type { Flags } from './config.ts';
import { errors, InsightError, messageOf } from './errors.ts';
import * as api from './index.ts';
import { Logs } from './log.ts';
import { Master, makePrivateFolder, prepare } from './master.ts';

const { version } = packageJson;
const EXIT_CANNOT_START = 1;
const EXIT_USAGE = 2;
const USAGE_CODES: ReadonlySet<string> = new Set(['usage', 'setInvalid', 'connectToInvalid']);

// Stacks name the lines of TypeScript. It has to be said before the first addon is loaded.
process.setSourceMapsEnabled(true);

const parser = yargs(hideBin(process.argv))
  .scriptName('insight-dump')
  .usage(
    '$0 [-s script]…\n\nA forward proxy that shows each user’s GitHub Copilot usage, extended by TypeScript addons\nthat are live the moment they are saved. Without -s it runs the addons of addons.config.ts.',
  )
  .option('script', {
    alias: ['s', 'scripts'],
    type: 'string',
    array: true,
    nargs: 1,
    default: [] as string[],
    describe: 'Run this addon; repeat for more, in order',
  })
  .option('listen-port', {
    alias: 'p',
    type: 'string',
    nargs: 1,
    coerce: last<string>,
    describe: 'Port of the proxy  [8080]',
  })
  .option('listen-host', {
    type: 'string',
    nargs: 1,
    coerce: last<string>,
    describe: 'Address of the proxy  [127.0.0.1]',
  })
  .option('set', {
    type: 'string',
    array: true,
    nargs: 1,
    default: [] as string[],
    describe: 'Set an addon’s option: addon.option=value; repeat for lists',
  })
  .option('config', { type: 'string', nargs: 1, coerce: last<string>, describe: 'Config file  [addons.config.ts]' })
  .option('confdir', {
    type: 'string',
    nargs: 1,
    coerce: last<string>,
    describe: 'Folder of the CA and secrets  [~/.insight-dump]',
  })
  .option('allow-hosts', { type: 'string', array: true, nargs: 1, describe: 'Look only into hosts matching this' })
  .option('ignore-hosts', { type: 'string', array: true, nargs: 1, describe: 'Never look into hosts matching this' })
  .option('connect-to', {
    type: 'string',
    array: true,
    nargs: 1,
    describe: 'HOST:PORT:ADDR:PORT, as curl’s; an empty HOST or PORT matches any',
  })
  .option('upstream-ca', {
    type: 'string',
    nargs: 1,
    coerce: last<string>,
    describe: 'PEM file of more CAs to trust upstream',
  })
  .option('ssl-insecure', { alias: 'k', type: 'boolean', describe: 'Do not verify upstream certificates' })
  .option('flow-detail', {
    type: 'string',
    nargs: 1,
    coerce: last<string>,
    describe: 'Show of each flow: nothing, a line, headers, cut bodies, bodies  [1]',
  })
  .option('insecure-open', { type: 'boolean', describe: 'Listen to others without asking for passwords' })
  .option('quiet', { alias: 'q', type: 'boolean', describe: 'Show errors only' })
  .option('verbose', { alias: 'v', type: 'boolean', describe: 'Show debugging lines, and flows with headers' })
  .version(version)
  .help()
  .alias('help', 'h')
  .strict()
  .check(({ _: words }) => {
    if (words.length > 0) throw errors.usage(`unexpected argument: ${words[0]}`);
    return true;
  })
  .fail((message, error) => {
    throw error instanceof InsightError ? error : errors.usage(message ?? messageOf(error));
  })
  .wrap(110);

/** Of a flag that was repeated, the last counts. */
function last<T>(value: T | T[]): T | undefined {
  return Array.isArray(value) ? value.at(-1) : value;
}

type Arguments = Awaited<ReturnType<typeof parser.parse>>;

function flagsOf(argv: Arguments): Flags {
  const listenPort = whole('--listen-port', argv.listenPort, 65_535);
  const flowDetail = whole('--flow-detail', argv.flowDetail, 4);
  return {
    scripts: argv.script,
    set: argv.set,
    config: argv.config,
    confdir: argv.confdir,
    listenHost: argv.listenHost,
    listenPort,
    allowHosts: argv.allowHosts,
    ignoreHosts: argv.ignoreHosts,
    connectTo: argv.connectTo,
    upstreamCa: argv.upstreamCa,
    sslInsecure: argv.sslInsecure,
    flowDetail: flowDetail ?? (argv.quiet ? 0 : argv.verbose ? 2 : undefined),
    insecureOpen: argv.insecureOpen,
  };
}

/** The number that a flag's text says. */
function whole(flag: string, text: string | undefined, max: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= max)) throw errors.usage(`${flag} ${text}: expected a number from 0 to ${max}`);
  return value;
}

async function main(): Promise<void> {
  const argv = await parser.parse();
  const prepared = await prepare(flagsOf(argv), { 'insight-dump': api });
  const { logs: dir } = prepared.settings.fixed;
  await makePrivateFolder('logs', dir);
  const level = argv.quiet ? 'error' : argv.verbose ? 'debug' : 'info';
  const logs = new Logs({ dir, level, color: process.stdout.isTTY === true && process.env.NO_COLOR === undefined });
  const master = await Master.start({ ...prepared, logs, version });

  process.on('uncaughtException', (error) => master.report(error));
  process.on('unhandledRejection', (reason) => master.report(reason));
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, async () => {
      // Whoever asks twice does not want to wait.
      if (stopping) process.exit(EXIT_CANNOT_START);
      stopping = true;
      logs.child().info('👋 stopping');
      await master.stop();
      await logs.close();
      process.exit(0);
    });
  }
}

// A reader of our output that has gone is no reason to stop working.
process.stdout.on('error', () => {});

main().catch((error) => {
  process.stderr.write(`insight-dump: ${messageOf(error)}\n`);
  if (!(error instanceof InsightError)) process.stderr.write(`${error instanceof Error ? error.stack : ''}\n`);
  process.exit(error instanceof InsightError && USAGE_CODES.has(error.code) ? EXIT_USAGE : EXIT_CANNOT_START);
});
