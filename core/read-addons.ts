import { compile } from './compile.ts';
import type { HostModules } from './evaluate.ts';
import { evaluateScript, type NamedAddon, type ScriptSpec } from './script.ts';

/** Reads the addons of scripts without giving them a life. @throws InsightError when one cannot be read */
export async function readAddons(specs: readonly ScriptSpec[], modules: HostModules): Promise<NamedAddon[]> {
  const builds = await Promise.all(specs.map(({ path }) => compile(path)));
  return specs.flatMap((spec, i) => {
    const build = builds[i] as (typeof builds)[number];
    return evaluateScript(spec, build, modules, () => {}).addons;
  });
}
