import { createRequire, Module } from 'node:module';
import path from 'node:path';
import * as zod from 'zod';
import { errors } from './errors.ts';
import { describePlace, placeIn } from './stack.ts';

/** Modules that the host gives to scripts itself, by specifier, so that both share one instance. */
export type HostModules = Readonly<Record<string, unknown>>;

/** Packages that run in insight-dump itself, as CommonJS has them: who would load the same from its folder shares them. */
const LOADED: HostModules = { zod: { __esModule: true, ...zod } };

export interface Evaluated {
  readonly exports: Record<string, unknown>;
  /** To be held for as long as the code may run: Node forgets the source map of a module that nobody holds. */
  readonly module: object;
}

type CompilableModule = Module & { _compile(code: string, filename: string): void };

let version = 0;

/**
 * Runs compiled code as a module of its own.
 *
 * This is the only loader trick of the project. `Module#_compile` leaves nothing in Node's module caches, so replaced
 * versions can be collected; the file name carries a version, because Node keeps one source map a name, and a stack of
 * an old version must name the old lines.
 *
 * @throws InsightError `doesNotEvaluate`, with the author's line where the stack tells
 */
export function evaluate(code: string, entry: string, inputs: ReadonlySet<string>, modules: HostModules): Evaluated {
  version += 1;
  const name = path.join(path.dirname(entry), `.${path.basename(entry)}.v${version}.cjs`);
  const module = new Module(name) as CompilableModule;
  module.filename = name;
  module.require = requireFrom(entry, modules);
  try {
    module._compile(code, name);
  } catch (error) {
    const place = placeIn(error, inputs);
    throw errors.doesNotEvaluate(entry, error, place === undefined ? '' : describePlace(place));
  }
  return { exports: module.exports as Evaluated['exports'], module };
}

/** The author's packages come first; what insight-dump itself is made of (zod, …) is there for everybody. */
function requireFrom(entry: string, modules: HostModules): NodeJS.Require {
  const own = createRequire(entry);
  const ours = createRequire(import.meta.url);
  const load = (specifier: string): unknown => {
    if (Object.hasOwn(modules, specifier)) return modules[specifier];
    if (Object.hasOwn(LOADED, specifier) && isShared(specifier, own, ours)) return LOADED[specifier];
    try {
      return own(specifier);
    } catch (error) {
      if (!isMissing(error, specifier)) throw error;
      try {
        return ours(specifier);
      } catch (second) {
        throw isMissing(second, specifier) ? explained(error, specifier) : second;
      }
    }
  };
  return Object.assign(load, own);
}

/** Whether it is insight-dump's package that a script gets: it has none of its own. */
function isShared(specifier: string, own: NodeJS.Require, ours: NodeJS.Require): boolean {
  try {
    return own.resolve(specifier) === ours.resolve(specifier);
  } catch (error) {
    return isMissing(error, specifier);
  }
}

/** Node's message lists every file on the way there, a line each. */
function explained(error: unknown, specifier: string): unknown {
  const isPackage = !/^[./]/.test(specifier);
  const hint = isPackage ? `: install it beside the script, with npm install ${specifier}` : '';
  return Object.assign(error as Error, { message: `Cannot find module '${specifier}'${hint}` });
}

function isMissing(error: unknown, specifier: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'MODULE_NOT_FOUND' && message.startsWith(`Cannot find module '${specifier}'`);
}
