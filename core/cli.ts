#!/usr/bin/env node
import packageJson from '../package.json' with { type: 'json' };
import { InsightError, messageOf } from './errors.ts';
import { readArguments } from './flags.ts';
import * as api from './index.ts';

// Flags may hold passwords, which the list of processes would show to everybody.
process.title = 'insight-dump';

const { version } = packageJson;
const MODULES = { 'insight-dump': api };

const EXIT_CANNOT_START = 1;
const EXIT_USAGE = 2;
const USAGE_CODES: ReadonlySet<string> = new Set([
  'usage',
  'unknownCommand',
  'setInvalid',
  'connectToInvalid',
  'upstreamInvalid',
]);

// A reader of our output that has gone is no reason to stop working.
process.stdout.on('error', () => {});

/** Each command loads what it needs. */
async function main(): Promise<void> {
  const invocation = await readArguments(process.argv.slice(2), process.env, version);
  switch (invocation.command) {
    case 'run': {
      const { runProxy } = await import('./run.ts');
      return runProxy(invocation.flags, invocation.level, MODULES, version);
    }
    case 'options': {
      const { printOptions } = await import('./run.ts');
      return printOptions(invocation.flags, MODULES);
    }
    case 'new': {
      const { writeStarter } = await import('./starter.ts');
      return writeStarter(invocation.name);
    }
    case 'ca': {
      const { caCommand } = await import('./ca-command.ts');
      return caCommand(invocation);
    }
    case 'addon': {
      const { runAddonCommand } = await import('./addon-command.ts');
      return runAddonCommand(invocation, MODULES);
    }
  }
}

main().catch((error) => {
  process.stderr.write(`insight-dump: ${messageOf(error)}\n`);
  if (!(error instanceof InsightError)) process.stderr.write(`${error instanceof Error ? error.stack : ''}\n`);
  process.exit(error instanceof InsightError && USAGE_CODES.has(error.code) ? EXIT_USAGE : EXIT_CANNOT_START);
});
