import type { CommandContext } from './addon.ts';
import { confdirOf, type Flags } from './config.ts';
import { codeOf, errors, InsightError, messageOf } from './errors.ts';
import type { HostModules } from './evaluate.ts';
import { didYouMean } from './nearest.ts';
import { resolveOptions } from './options.ts';
import { prepare } from './prepare.ts';
import { readAddons } from './read-addons.ts';
import type { NamedAddon, ScriptSpec } from './script.ts';

/** A command that is none of the proxy's own, so one of an addon. */
export interface AddonCommandRequest {
  readonly name: string;
  readonly args: readonly string[];
  readonly flags: Flags;
}

/**
 * Runs a command that one of the configured addons has, without giving that addon a life, and prints what it returns.
 *
 * @throws InsightError `unknownCommand`, `usage`, `commandFailed`
 */
export async function runAddonCommand({ name, args, flags }: AddonCommandRequest, modules: HostModules): Promise<void> {
  const { settings } = await prepare(flags, modules);
  const { addon, name: addonName } = await findCommand(name, settings.scripts, modules);
  const { given, flags: set } = settings.options;
  const options = resolveOptions(addonName, addon, given(addonName), set(addonName));
  const context: CommandContext = {
    options,
    paths: { logs: settings.fixed.logs, confdir: confdirOf(flags), config: settings.home },
    listen: settings.listen,
    usage: (message) => errors.usage(`${name}: ${message}`),
  };
  try {
    process.stdout.write((await addon.commands?.[name]?.(args, context)) ?? '');
  } catch (error) {
    if (error instanceof InsightError) throw error;
    if (codeOf(error)?.startsWith('ERR_PARSE_ARGS')) throw errors.usage(`${name}: ${messageOf(error)}`);
    throw errors.commandFailed(name, error);
  }
}

/** The first addon that has it. Scripts that are broken keep nobody from the commands of others. */
async function findCommand(name: string, scripts: readonly ScriptSpec[], modules: HostModules): Promise<NamedAddon> {
  const known = ['new', 'ca'];
  let broken: unknown;
  for (const script of scripts) {
    try {
      for (const named of await readAddons([script], modules)) {
        const own = Object.keys(named.addon.commands ?? {});
        if (own.includes(name)) return named;
        known.push(...own);
      }
    } catch (error) {
      broken ??= error;
    }
  }
  throw broken ?? errors.unknownCommand(name, didYouMean(name, known) || `; there are ${known.join(', ')}`);
}
