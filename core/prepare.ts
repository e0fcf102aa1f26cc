import { ON_DISK, type ScriptSource } from './compile.ts';
import { type Flags, type Settings, settle } from './config.ts';
import { type ConfigFile, findConfig, readConfig } from './config-file.ts';
import type { HostModules } from './evaluate.ts';

/** What is to be set, and where that is from. */
export interface Prepared {
  readonly flags: Flags;
  readonly settings: Settings;
  readonly configFile: ConfigFile;
  readonly modules: HostModules;
}

/** Reads what is to be set, before there is a folder for logs. @throws InsightError */
export async function prepare(
  flags: Flags,
  modules: HostModules,
  config = findConfig(flags.config),
  source: Pick<ScriptSource, 'compile'> = ON_DISK,
): Promise<Prepared> {
  // Stacks name the lines of TypeScript in what is loaded from now on: scripts. To read our own maps would take time.
  process.setSourceMapsEnabled(true);
  const configFile = await readConfig(config, modules, source);
  return { flags, settings: settle(flags, configFile), configFile, modules };
}
