import { existsSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import type { Config } from './addon.ts';
import { ON_DISK, type ScriptSource, type Unbuilt } from './compile.ts';
import { errors } from './errors.ts';
import { evaluate, type HostModules } from './evaluate.ts';
import { didYouMean } from './nearest.ts';
import { describePath } from './stack.ts';
import type { Stamps } from './stamps.ts';

export interface ConfigFile {
  readonly path: string;
  readonly config: Config;
  /** How the files that it is made of were before they were read. */
  readonly stamps: Stamps;
}

/** Where insight-dump itself lies: its shipped addons and config. Source and build are both one folder below. */
export const PACKAGE_DIR = path.resolve(import.meta.dirname, '..');

const CONFIG_NAME = 'addons.config.ts';

/**
 * The config file that counts: the one named, the one in the working directory, or the one that is shipped.
 *
 * @throws InsightError `configMissing`
 */
export function findConfig(config: string | undefined): string {
  if (config === undefined) {
    const here = path.resolve(CONFIG_NAME);
    return existsSync(here) ? here : path.join(PACKAGE_DIR, CONFIG_NAME);
  }
  const named = path.resolve(config);
  if (!existsSync(named)) throw errors.configMissing(config);
  return named;
}

/** @throws InsightError `doesNotCompile`, `doesNotEvaluate`, `configInvalid`; with `stamps` to watch */
export async function readConfig(
  file: string,
  modules: HostModules,
  source: Pick<ScriptSource, 'compile'> = ON_DISK,
): Promise<ConfigFile> {
  const { code, inputs, stamps } = await source.compile(file);
  try {
    const { exports } = evaluate(code, file, inputs, modules);
    return { path: file, config: validated(exports.default, file), stamps };
  } catch (error) {
    throw Object.assign(error as Error, { stamps }) satisfies Unbuilt;
  }
}

function validated(exported: unknown, file: string): Config {
  const result = CONFIG.safeParse(exported);
  if (result.success) return result.data as Config;
  const problems = result.error.issues.map((issue) => {
    if (issue.code !== 'unrecognized_keys') return `${issue.path.join('.') || 'default export'}: ${issue.message}`;
    return issue.keys.map((key) => `no setting named "${key}"${didYouMean(key, SETTINGS)}`).join('; ');
  });
  throw errors.configInvalid(describePath(file), problems.join('; '));
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
  upstream: z.string().optional(),
  noproxy: z.array(z.string()).optional(),
  allowPrivateTargets: z.boolean().optional(),
  upstreamCa: z.string().min(1).optional(),
  sslInsecure: z.boolean().optional(),
  flowDetail: z.int().min(0).max(4).optional(),
  idleTimeoutMs: z.int().min(1).optional(),
  blindAfterRefusalMs: z.int().min(0).optional(),
  hookTimeoutMs: z.int().min(1).optional(),
  drainMs: z.int().min(0).optional(),
});

const SETTINGS = Object.keys(CONFIG.shape);
