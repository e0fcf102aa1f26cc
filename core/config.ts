import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type ConfigFile, PACKAGE_DIR } from './config-file.ts';
import { type ConnectTo, parseConnectTo } from './engine/connect-to.ts';
import type { EngineRules } from './engine/engine.ts';
import { COPILOT_HOSTS, COPILOT_TELEMETRY_HOSTS } from './engine/hosts.ts';
import { type ParentProxy, parseParentProxy } from './engine/parent-proxy.ts';
import { errors, messageOf } from './errors.ts';
import type { OptionSources } from './host.ts';
import type { FlagValues } from './options.ts';
import type { ScriptSpec } from './script.ts';
import { nameScripts } from './script-names.ts';
import { describePath } from './stack.ts';
import type { WatchMode } from './watch.ts';
import type { ListenAddress } from './workers/part.ts';

/** What was said on the command line. */
export interface Flags {
  readonly scripts: readonly string[];
  readonly set: readonly string[];
  /** The same from the environment, which flags beat. */
  readonly setByEnvironment?: readonly string[] | undefined;
  readonly config?: string | undefined;
  readonly confdir?: string | undefined;
  readonly listenHost?: string | undefined;
  readonly listenPort?: number | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly ignoreHosts?: readonly string[] | undefined;
  readonly connectTo?: readonly string[] | undefined;
  readonly upstream?: string | undefined;
  readonly noproxy?: readonly string[] | undefined;
  readonly upstreamCa?: string | undefined;
  readonly sslInsecure?: boolean | undefined;
  readonly flowDetail?: number | undefined;
  readonly insecureOpen?: boolean | undefined;
  /** How many processes do the work; one if it is not said. */
  readonly workers?: number | undefined;
  /** How saves are noticed; by the file system's events when it is not said. */
  readonly watch?: WatchMode | undefined;
}

/** Everything that is to be set, from flags, config file and defaults. */
export interface Settings {
  readonly scripts: readonly ScriptSpec[];
  readonly options: OptionSources;
  /** The folder that relative paths count from. */
  readonly home: string;
  /** Addons that the config or the flags set options of, and where they say so. */
  readonly optionsFor: readonly { addon: string; source: string }[];
  /** Names that options may be set for although their addon is not loaded: it may be switched on later. */
  readonly knownAddons: readonly string[];
  readonly listen: ListenAddress;
  readonly fixed: FixedSettings;
  readonly rules: EngineRules;
  readonly flowDetail: number;
  readonly hookTimeoutMs: number;
  readonly drainMs: number;
}

/** What cannot change while it runs. */
export interface FixedSettings {
  readonly logs: string;
  readonly upstreamCa: string | undefined;
}

/** The folder for what must outlive `logs/`: the CA, and addons' secrets. */
export function confdirOf({ confdir }: Pick<Flags, 'confdir'>): string {
  return confdir === undefined ? path.join(os.homedir(), '.insight-dump') : path.resolve(confdir);
}

/**
 * Puts flags, config file and defaults together; the earlier beat the later.
 *
 * @throws InsightError `scriptMissing`, `setInvalid`, `connectToInvalid`, `upstreamInvalid`, `configInvalid`
 */
export function settle(flags: Flags, { config, path: file }: ConfigFile): Settings {
  // The shipped config stands for one in the working directory.
  const home = path.dirname(file) === PACKAGE_DIR ? process.cwd() : path.dirname(file);
  const source = describePath(file);
  const entries = (config.addons ?? []).map((entry) => (typeof entry === 'string' ? { script: entry } : entry));
  const set = parseSet('--set', flags.set);
  const environment = parseSet(SET_VARIABLE, flags.setByEnvironment ?? []);
  const given = config.options ?? {};
  return {
    home,
    scripts: scriptsOf(flags, entries, home),
    options: {
      given: (addon) => (given[addon] ?? {}) as Record<string, unknown>,
      flags: (addon) => new Map([...(environment.get(addon) ?? []), ...(set.get(addon) ?? [])]),
    },
    optionsFor: [
      ...[...set.keys()].map((addon) => ({ addon, source: '--set' })),
      ...[...environment.keys()].map((addon) => ({ addon, source: SET_VARIABLE })),
      ...(flags.scripts.length > 0 ? [] : Object.keys(given).map((addon) => ({ addon, source }))),
    ],
    knownAddons: flags.scripts.length > 0 ? [] : nameScripts(entries.map(({ script }) => script)),
    listen: {
      host: flags.listenHost ?? config.listenHost ?? '127.0.0.1',
      port: flags.listenPort ?? config.listenPort ?? 8080,
    },
    fixed: {
      logs: path.resolve(home, config.logs ?? 'logs'),
      upstreamCa: pathOf(flags.upstreamCa, process.cwd()) ?? pathOf(config.upstreamCa, home),
    },
    rules: {
      hosts: {
        allow: patterns(flags.allowHosts ?? config.allowHosts ?? COPILOT_HOSTS, source),
        ignore: patterns(flags.ignoreHosts ?? config.ignoreHosts ?? COPILOT_TELEMETRY_HOSTS, source),
      },
      connectTo: (flags.connectTo ?? config.connectTo ?? []).map((rule): ConnectTo => parseConnectTo(rule)),
      parent: parentOf(flags.upstream ?? config.upstream, flags.noproxy ?? config.noproxy ?? []),
      allowPrivateTargets: config.allowPrivateTargets ?? false,
      sslInsecure: flags.sslInsecure ?? config.sslInsecure ?? false,
      idleTimeoutMs: config.idleTimeoutMs ?? 600_000,
      blindAfterRefusalMs: config.blindAfterRefusalMs ?? 0,
      keepBodies: (flags.flowDetail ?? config.flowDetail ?? 1) >= 3,
    },
    flowDetail: flags.flowDetail ?? config.flowDetail ?? 1,
    hookTimeoutMs: config.hookTimeoutMs ?? 10_000,
    drainMs: config.drainMs ?? 5_000,
  };
}

type Entry = { script: string; required?: boolean; enabled?: boolean };

function scriptsOf({ scripts }: Flags, entries: readonly Entry[], home: string): ScriptSpec[] {
  const chosen =
    scripts.length === 0
      ? entries
          .filter(({ enabled }) => enabled !== false)
          .map(({ script, required }) => ({ path: locate(script, home), required: required ?? false }))
      : scripts.map((script) => {
          const found = locate(script, process.cwd());
          const entry = entries.find((each) => tryLocate(each.script, home) === found);
          return { path: found, required: entry?.required ?? false };
        });
  const names = nameScripts(chosen.map((each) => each.path));
  return chosen.map((each, i) => ({ ...each, name: names[i] as string }));
}

/** A script is looked for from where it was named; then among the shipped ones, so that `addons/auth.ts` is there anywhere. */
function tryLocate(script: string, from: string): string | undefined {
  return [path.resolve(from, script), path.resolve(PACKAGE_DIR, script)].find((candidate) => existsSync(candidate));
}

function locate(script: string, from: string): string {
  const found = tryLocate(script, from);
  if (found === undefined) throw errors.scriptMissing(script);
  return found;
}

function parentOf(upstream: string | undefined, noproxy: readonly string[]): ParentProxy | undefined {
  return upstream === undefined || upstream === '' ? undefined : parseParentProxy(upstream, noproxy);
}

function pathOf(file: string | undefined, from: string): string | undefined {
  return file === undefined ? undefined : path.resolve(from, file);
}

function patterns(given: readonly (string | RegExp)[], source: string): RegExp[] {
  return given.map((pattern) => {
    if (pattern instanceof RegExp) return pattern.ignoreCase ? pattern : new RegExp(pattern, `${pattern.flags}i`);
    try {
      return new RegExp(pattern, 'i');
    } catch (error) {
      throw errors.configInvalid(source, `not a regular expression: ${pattern} (${messageOf(error)})`);
    }
  });
}

/** The environment variable that sets options: as many `addon.option=value` as there are lines or semicolons in it. */
export const SET_VARIABLE = 'INSIGHT_DUMP_SET';

/** `addon.option=value`, as often as there are; a bare `addon.option` says true. */
function parseSet(source: string, flags: readonly string[]): Map<string, Map<string, FlagValues>> {
  const set = new Map<string, Map<string, FlagValues>>();
  for (const flag of flags) {
    const match = /^([^.=]+)\.([^=]+?)(?:=(.*))?$/s.exec(flag);
    if (match === null) throw errors.setInvalid(source, flag.replace(/=.*/s, '=…'));
    const [, addon = '', option = '', value = true] = match;
    const options = set.get(addon) ?? new Map<string, FlagValues>();
    options.set(option, [...(options.get(option) ?? []), value]);
    set.set(addon, options);
  }
  return set;
}
