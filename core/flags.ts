import yargs, { type ArgumentsCamelCase, type InferredOptionTypes } from 'yargs';
import type { CaRequest } from './ca-command.ts';
import { type Flags, SET_VARIABLE } from './config.ts';
import { errors, InsightError, messageOf } from './errors.ts';
import type { LogSettings } from './log.ts';

/** What the command line asks for. */
export type Invocation =
  | { readonly command: 'run' | 'options'; readonly flags: Flags; readonly level: LogSettings['level'] }
  | { readonly command: 'new'; readonly name: string }
  | ({ readonly command: 'ca' } & CaRequest)
  | { readonly command: 'addon'; readonly name: string; readonly args: readonly string[]; readonly flags: Flags };

const INTRODUCTION = `$0 [-s script]…

A forward proxy that shows each user’s GitHub Copilot usage, extended by TypeScript addons
that are live the moment they are saved. Without -s it runs the addons of addons.config.ts.`;

const text = (describe: string) => ({ type: 'string', nargs: 1, coerce: last, describe }) as const;
const texts = (describe: string) => ({ type: 'string', array: true, nargs: 1, describe }) as const;
const flag = (describe: string) => ({ type: 'boolean', describe }) as const;

const RUN_OPTIONS = {
  script: { ...texts('Run this addon; repeat for more, in order'), alias: ['s', 'scripts'] },
  'listen-port': { ...text('Port of the proxy  [8080]'), alias: 'p' },
  'listen-host': text('Address of the proxy  [127.0.0.1]'),
  set: texts('Set an addon’s option: addon.option=value; repeat for lists'),
  options: flag('Print every option of the addons as YAML, and exit'),
  config: text('Config file  [addons.config.ts]'),
  confdir: text('Folder of the CA and secrets  [~/.insight-dump]'),
  watch: { ...flag('Take in saved scripts and config; --no-watch does not'), default: true },
  'watch-poll': flag('Only look for saves; use no events of the file system'),
  'allow-hosts': texts('Look only into hosts whose host:port, or SNI with that port, matches this'),
  'ignore-hosts': texts('Never look into hosts matching this'),
  'connect-to': texts('HOST:PORT:ADDR:PORT, as curl’s; an empty HOST or PORT matches any'),
  upstream: text('Reach servers through this proxy: http://user:password@host:port or socks5://…'),
  noproxy: texts('Hosts that are reached without it'),
  'upstream-ca': text('PEM file of more CAs to trust upstream'),
  'ssl-insecure': { ...flag('Do not verify upstream certificates'), alias: 'k' },
  'flow-detail': text('Show of each flow: nothing, a line, headers, cut bodies, bodies  [1]'),
  workers: text('Do the work in so many processes, up to the number of processors  [1]'),
  'insecure-open': flag('Listen to others without asking for passwords'),
  quiet: { ...flag('Show errors only'), alias: 'q' },
  verbose: { ...flag('Show debugging lines, and flows with headers'), alias: 'v' },
} as const;

const CA_OPTIONS = {
  confdir: RUN_OPTIONS.confdir,
  only: texts('With rotate: the only names that it may sign for, with their subdomains'),
} as const;

/**
 * Reads the command line; the environment too, where it stands for flags. Prints and exits by itself for `--help` and
 * `--version`.
 *
 * @throws InsightError `usage`
 */
export async function readArguments(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  version: string,
): Promise<Invocation> {
  let invocation = await readAddonCommand(args, env);
  if (invocation !== undefined) return invocation;
  await inEnglish(yargs(args))
    .scriptName('insight-dump')
    .usage(INTRODUCTION)
    .command(
      '$0',
      false,
      (command) => command.options(RUN_OPTIONS),
      (argv) => {
        const level = argv.quiet ? 'error' : argv.verbose ? 'debug' : 'info';
        invocation = { command: argv.options ? 'options' : 'run', flags: flagsOf(argv, env), level };
      },
    )
    .command(
      'new <name>',
      'Write a starter addon and its test into this folder',
      (command) => command.positional('name', { type: 'string', demandOption: true }),
      ({ name }) => {
        invocation = { command: 'new', name };
      },
    )
    .command(
      'ca [action]',
      'Tell of the CA that clients have to trust; “ca rotate” makes a new one',
      (command) => command.positional('action', { choices: ['rotate'] as const }).options(CA_OPTIONS),
      ({ action, confdir, only }) => {
        invocation = { command: 'ca', confdir, rotate: action === 'rotate', only: only ?? [] };
      },
    )
    .epilogue('Addons bring commands of their own: insight-dump users --help')
    .version(version)
    .help()
    .alias('help', 'h')
    .strict()
    .fail((message, error) => {
      throw error instanceof InsightError ? error : errors.usage(message ?? messageOf(error));
    })
    .wrap(110)
    .parseAsync();
  // Help and version have been printed.
  return invocation ?? process.exit(0);
}

/** As all that we say: yargs would say its part in the language of the environment, between ours. */
function inEnglish(parser: ReturnType<typeof yargs>): ReturnType<typeof yargs> {
  return parser.detectLocale(false);
}

/** Commands of the proxy itself. All others are those of addons, which are not known before the config is read. */
const OWN_COMMANDS: readonly unknown[] = ['new', 'ca'];

/** The command of an addon, if it is one: with the flags that say which config counts, and all else as it stands. */
async function readAddonCommand(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Invocation | undefined> {
  const argv = await inEnglish(yargs(args))
    .options(RUN_OPTIONS)
    .parserConfiguration({ 'unknown-options-as-args': true, 'parse-positional-numbers': false })
    .help(false)
    .version(false)
    .fail((message, error) => {
      throw errors.usage(message ?? messageOf(error));
    })
    .parseAsync();
  const [name = '-', ...rest] = argv._.map(String);
  if (name.startsWith('-') || OWN_COMMANDS.includes(name)) return undefined;
  return { command: 'addon', name, args: rest, flags: flagsOf(argv, env) };
}

type RunArguments = ArgumentsCamelCase<InferredOptionTypes<typeof RUN_OPTIONS>>;

function flagsOf(argv: RunArguments, env: NodeJS.ProcessEnv): Flags {
  const flowDetail = whole('--flow-detail', argv.flowDetail, 4);
  return {
    scripts: argv.script ?? [],
    set: argv.set ?? [],
    setByEnvironment: (env[SET_VARIABLE] ?? '')
      .split(/[\n;]/)
      .map((each) => each.trim())
      .filter((each) => each !== ''),
    config: argv.config,
    confdir: argv.confdir,
    listenHost: argv.listenHost,
    listenPort: whole('--listen-port', argv.listenPort, 65_535),
    allowHosts: argv.allowHosts,
    ignoreHosts: argv.ignoreHosts,
    connectTo: argv.connectTo,
    upstream: argv.upstream,
    noproxy: argv.noproxy,
    upstreamCa: argv.upstreamCa,
    sslInsecure: argv.sslInsecure,
    flowDetail: flowDetail ?? (argv.quiet ? 0 : argv.verbose ? 2 : undefined),
    insecureOpen: argv.insecureOpen,
    workers: whole('--workers', argv.workers, MAX_WORKERS, 1),
    watch: !argv.watch ? 'off' : argv.watchPoll ? 'poll' : 'events',
  };
}

/** Of a flag that was repeated, the last counts. */
function last(value: string | string[]): string | undefined {
  return Array.isArray(value) ? value.at(-1) : value;
}

/** Far more than help. */
const MAX_WORKERS = 256;

/** The number that a flag's text says. */
function whole(name: string, value: string | undefined, max: number, min = 0): number | undefined {
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!(number >= min && number <= max))
    throw errors.usage(`${name} ${value}: expected a number from ${min} to ${max}`);
  return number;
}
