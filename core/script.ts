import type { Addon } from './addon.ts';
import type { Compiled } from './compile.ts';
import { errors } from './errors.ts';
import { evaluate, type HostModules } from './evaluate.ts';
import { HOOK_NAMES } from './hooks.ts';
import { nearest } from './nearest.ts';
import { describePath } from './stack.ts';

/** What an addon has besides hooks: what each must be, in words and as a check. */
const FIELDS: Readonly<Record<string, { readonly expected: string; is(value: unknown): boolean }>> = {
  name: { expected: 'a text', is: (value) => typeof value === 'string' && value !== '' },
  options: {
    expected: 'a schema, such as z.object({...})',
    is: (value) => typeof (value as { safeParse?: unknown } | null)?.safeParse === 'function',
  },
  state: { expected: 'a function that returns the first state', is: (value) => typeof value === 'function' },
  commands: {
    expected: 'an object of functions',
    is: (value) => typeof value === 'object' && Object.values(value ?? {}).every((each) => typeof each === 'function'),
  },
  readsWebSocket: {
    expected: 'a function that says true or false of a path',
    is: (value) => typeof value === 'function',
  },
  authenticates: { expected: 'true or false', is: (value) => typeof value === 'boolean' },
};

/** An addon and the name it goes by. The addon itself is left as it is, so that its `this` stays its own. */
export interface NamedAddon {
  readonly name: string;
  readonly addon: Addon;
}

/** A script that is wanted. */
export interface ScriptSpec {
  /** Absolute path. */
  readonly path: string;
  /** What its addon goes by if it does not say a name. */
  readonly name: string;
  /** Traffic is refused while it is broken or absent. */
  readonly required: boolean;
}

/** An evaluated script, whose addons are not alive yet. */
export interface Script {
  readonly path: string;
  /** The author's files: the script and all that it imports by a relative path. */
  readonly files: ReadonlySet<string>;
  readonly required: boolean;
  readonly addons: readonly NamedAddon[];
  /** What it was evaluated as. */
  readonly module?: object;
}

/**
 * Runs a compiled script and takes its addons.
 *
 * @throws InsightError `doesNotEvaluate`, and what `addonsOf` throws
 */
export function evaluateScript(
  { path, name, required }: ScriptSpec,
  { code, inputs }: Compiled,
  modules: HostModules,
  warn: (message: string) => void,
): Script {
  const { exports, module } = evaluate(code, path, inputs, modules);
  return { path, files: inputs, required, addons: addonsOf(exports, path, name, warn), module };
}

/**
 * Finds the addons in what a script exports: an addon or a list of them by default, or functions named as hooks.
 *
 * @param fallback the name of an addon that does not say one
 * @param warn is told of functions that look like a mistyped hook
 * @throws InsightError `noAddon`, `hookNotFunction`, `fieldInvalid`
 */
export function addonsOf(
  exports: Record<string, unknown>,
  file: string,
  fallback: string,
  warn: (message: string) => void,
): NamedAddon[] {
  const script = describePath(file);
  const candidates = candidatesOf(exports);
  if (candidates.length === 0 || !candidates.every(isAddon)) throw errors.noAddon(script);
  return candidates.map((addon, i) => {
    const name = typeof addon.name === 'string' ? addon.name : fallback + (i > 0 ? `-${i + 1}` : '');
    for (const key of keysOf(addon)) checkKey(addon, key, script, name, warn);
    return { name, addon };
  });
}

function candidatesOf(exports: Record<string, unknown>): unknown[] {
  const { default: main } = exports;
  if (Array.isArray(main)) return main;
  if (main !== undefined) return [main];
  return HOOK_NAMES.some((hook) => hook in exports) ? [{ ...exports }] : [];
}

function isAddon(value: unknown): value is Addon {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Own keys and those of its classes, without what every object has. */
function keysOf(addon: object): string[] {
  const keys: string[] = [];
  for (let each = addon; each !== Object.prototype && each !== null; each = Object.getPrototypeOf(each)) {
    keys.push(...Object.getOwnPropertyNames(each).filter((key) => key !== 'constructor'));
  }
  return [...new Set(keys)];
}

function checkKey(addon: Addon, key: string, script: string, name: string, warn: (message: string) => void): void {
  const value = (addon as Record<string, unknown>)[key];
  if ((HOOK_NAMES as string[]).includes(key)) {
    if (value !== undefined && typeof value !== 'function')
      throw errors.hookNotFunction(script, name, key, typeof value);
    return;
  }
  const field = Object.hasOwn(FIELDS, key) ? FIELDS[key] : undefined;
  if (field !== undefined && value !== undefined && !field.is(value))
    throw errors.fieldInvalid(script, name, key, field.expected);
  if (field !== undefined || typeof value !== 'function') return;
  const meant = nearest(key, HOOK_NAMES);
  if (meant !== undefined)
    warn(`${script}: addon ${name} has a function "${key}", which is no hook; did you mean "${meant}"?`);
}
