import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import type { Config } from './addon.ts';
import { type Compiled, compile } from './compile.ts';
import { type ConnectTo, parseConnectTo } from './engine/connect-to.ts';
import type { EngineRules } from './engine/engine.ts';
import { COPILOT_HOSTS, COPILOT_TELEMETRY_HOSTS } from './engine/hosts.ts';
import { errors, messageOf } from './errors.ts';
import { evaluate, type HostModules } from './evaluate.ts';
import type { OptionSources } from './host.ts';
import type { ScriptSpec } from './loader.ts';
import { didYouMean } from './nearest.ts';
import type { FlagValues } from './options.ts';
import { describePath } from './stack.ts';

/** What was said on the command line. */
export interface Flags {
  readonly scripts: readonly string[];
  readonly set: readonly string[];
  readonly config?: string | undefined;
  readonly confdir?: string | undefined;
  readonly listenHost?: string | undefined;
  readonly listenPort?: number | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly ignoreHosts?: readonly string[] | undefined;
  readonly connectTo?: readonly string[] | undefined;
  readonly upstreamCa?: string | undefined;
  readonly sslInsecure?: boolean | undefined;
  readonly flowDetail?: number | undefined;
  readonly insecureOpen?: boolean | undefined;
}

/** Everything that is to be set, from flags, config file and defaults. */
export interface Settings {
  readonly scripts: readonly ScriptSpec[];
  readonly options: OptionSources;
  /** Addons that the config or the flags set options of, and where they say so. */
  readonly optionsFor: readonly { addon: string; source: string }[];
  /** Names that options may be set for although their addon is not loaded. */
  readonly knownAddons: readonly string[];
  readonly fixed: FixedSettings;
  readonly rules: EngineRules;
  readonly flowDetail: number;
  readonly hookTimeoutMs: number;
  readonly drainMs: number;
}

/** What cannot change while it runs. */
export interface FixedSettings {
  readonly listenHost: string;
  readonly listenPort: number;
  readonly logs: string;
  readonly upstreamCa: string | undefined;
}

export interface ConfigFile {
  readonly path: string;
  readonly config: Config;
  readonly build: Compiled;
}

/** Where insight-dump itself lies: its shipped addons and config. Source and build are both one folder below. */
export const PACKAGE_DIR = path.resolve(import.meta.dirname, '..');

const CONFIG_NAME = 'addons.config.ts';

/** The folder for what must outlive `logs/`: the CA, and addons' secrets. */
export function confdirOf({ confdir }: Flags): string {
  return confdir === undefined ? path.join(os.homedir(), '.insight-dump') : path.resolve(confdir);
}

/**
 * The config file that counts: the one named, the one in the working directory, or the one that is shipped.
 *
 * @throws InsightError `configMissing`
 */
export function configPathOf({ config }: Flags): string {
  if (config === undefined) {
    const here = path.resolve(CONFIG_NAME);
    return existsSync(here) ? here : path.join(PACKAGE_DIR, CONFIG_NAME);
  }
  const named = path.resolve(config);
  if (!existsSync(named)) throw errors.configMissing(config);
  return named;
}

/** @throws InsightError `doesNotCompile`, `doesNotEvaluate`, `configInvalid` */
export async function readConfig(file: string, modules: HostModules): Promise<ConfigFile> {
  const build = await compile(file);
  const { default: exported } = evaluate(build.code, file, build.inputs, modules);
  const result = CONFIG.safeParse(exported);
  if (result.success) return { path: file, config: result.data as Config, build };
  const problems = result.error.issues.map((issue) => {
    if (issue.code !== 'unrecognized_keys') return `${issue.path.join('.') || 'default export'}: ${issue.message}`;
    return issue.keys.map((key) => `no setting named "${key}"${didYouMean(key, SETTINGS)}`).join('; ');
  });
  throw errors.configInvalid(describePath(file), problems.join('; '));
}

/**
 * Puts flags, config file and defaults together; the earlier beat the later.
 *
 * @throws InsightError `scriptMissing`, `setInvalid`, `connectToInvalid`, `configInvalid`
 */
export function settle(flags: Flags, { config, path: file }: ConfigFile): Settings {
  // The shipped config stands for one in the working directory.
  const home = path.dirname(file) === PACKAGE_DIR ? process.cwd() : path.dirname(file);
  const source = describePath(file);
  const entries = (config.addons ?? []).map((entry) => (typeof entry === 'string' ? { script: entry } : entry));
  const set = parseSet(flags.set);
  const given = config.options ?? {};
  return {
    scripts: scriptsOf(flags, entries, home),
    options: {
      given: (addon) => (given[addon] ?? {}) as Record<string, unknown>,
      flags: (addon) => set.get(addon) ?? new Map(),
    },
    optionsFor: [
      ...[...set.keys()].map((addon) => ({ addon, source: '--set' })),
      ...(flags.scripts.length > 0 ? [] : Object.keys(given).map((addon) => ({ addon, source }))),
    ],
    knownAddons: entries.map(({ script }) => path.basename(script).replace(/\.[cm]?[jt]sx?$/, '')),
    fixed: {
      listenHost: flags.listenHost ?? config.listenHost ?? '127.0.0.1',
      listenPort: flags.listenPort ?? config.listenPort ?? 8080,
      logs: path.resolve(home, config.logs ?? 'logs'),
      upstreamCa: pathOf(flags.upstreamCa, process.cwd()) ?? pathOf(config.upstreamCa, home),
    },
    rules: {
      hosts: {
        allow: patterns(flags.allowHosts ?? config.allowHosts ?? COPILOT_HOSTS, source),
        ignore: patterns(flags.ignoreHosts ?? config.ignoreHosts ?? COPILOT_TELEMETRY_HOSTS, source),
      },
      connectTo: (flags.connectTo ?? config.connectTo ?? []).map((rule): ConnectTo => parseConnectTo(rule)),
      allowPrivateTargets: config.allowPrivateTargets ?? false,
      sslInsecure: flags.sslInsecure ?? config.sslInsecure ?? false,
      keepBodies: (flags.flowDetail ?? config.flowDetail ?? 1) >= 3,
    },
    flowDetail: flags.flowDetail ?? config.flowDetail ?? 1,
    hookTimeoutMs: config.hookTimeoutMs ?? 10_000,
    drainMs: config.drainMs ?? 5_000,
  };
}

type Entry = { script: string; required?: boolean; enabled?: boolean };

function scriptsOf({ scripts }: Flags, entries: readonly Entry[], home: string): ScriptSpec[] {
  if (scripts.length > 0) {
    return scripts.map((script) => {
      const found = locate(script, process.cwd());
      const entry = entries.find((each) => tryLocate(each.script, home) === found);
      return { path: found, required: entry?.required ?? false };
    });
  }
  return entries
    .filter(({ enabled }) => enabled !== false)
    .map(({ script, required }) => ({ path: locate(script, home), required: required ?? false }));
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

/** `addon.option=value`, as often as there are; a bare `addon.option` says true. */
function parseSet(flags: readonly string[]): Map<string, Map<string, FlagValues>> {
  const set = new Map<string, Map<string, FlagValues>>();
  for (const flag of flags) {
    const match = /^([^.=]+)\.([^=]+?)(?:=(.*))?$/s.exec(flag);
    if (match === null) throw errors.setInvalid(flag.replace(/=.*/s, '=…'));
    const [, addon = '', option = '', value = true] = match;
    const options = set.get(addon) ?? new Map<string, FlagValues>();
    options.set(option, [...(options.get(option) ?? []), value]);
    set.set(addon, options);
  }
  return set;
}

const port = z.int().min(0).max(65_535);
const hosts = z.array(z.union([z.string(), z.instanceof(RegExp)]));

/** The shape of `Config`; what it means stands there. */
const CONFIG = z.strictObject({
  addons: z
    .array(
      z.union([
        z.string(),
        z.strictObject({ script: z.string(), required: z.boolean().optional(), enabled: z.boolean().optional() }),
      ]),
    )
    .optional(),
  options: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
  listenHost: z.string().min(1).optional(),
  listenPort: port.optional(),
  logs: z.string().min(1).optional(),
  allowHosts: hosts.optional(),
  ignoreHosts: hosts.optional(),
  connectTo: z.array(z.string()).optional(),
  allowPrivateTargets: z.boolean().optional(),
  upstreamCa: z.string().min(1).optional(),
  sslInsecure: z.boolean().optional(),
  flowDetail: z.int().min(0).max(4).optional(),
  hookTimeoutMs: z.int().min(1).optional(),
  drainMs: z.int().min(0).optional(),
});

const SETTINGS = Object.keys(CONFIG.shape);
