import { existsSync } from 'node:fs';
import type { Log } from '../addon.ts';
import { type Compiled, compile, type Unbuilt } from '../compile.ts';
import { type Flags, settle } from '../config.ts';
import { readConfig } from '../config-file.ts';
import { messageOf } from '../errors.ts';
import type { HostModules } from '../evaluate.ts';
import { KEPT } from '../loader.ts';
import type { ScriptSpec } from '../script.ts';
import { describePath } from '../stack.ts';
import { Watcher } from '../watch.ts';
import { type Builds, builtOf } from './messages.ts';

export interface SavesSettings {
  readonly flags: Flags;
  readonly modules: HostModules;
  readonly log: Log;
  /** The config file. */
  readonly config: string;
  /** Has all workers take in a change, or none. Resolves with why one of them refuses, if one does. */
  takeIn(file: string, builds: Builds): Promise<string | undefined>;
}

/**
 * Scripts and config of all workers: watched and built here, so that all run the same. What is in force is kept, for a
 * worker that begins while there is something else on the disk that cannot be.
 */
export class Saves {
  readonly #settings: SavesSettings;
  readonly #watcher: Watcher;
  readonly #inForce = new Map<string, Compiled>();
  #changes = Promise.resolve();

  constructor(settings: SavesSettings) {
    this.#settings = settings;
    const { flags, log } = settings;
    this.#watcher = new Watcher(
      flags.watch ?? 'events',
      (id) => {
        this.#changes = this.#changes.then(() => this.#changed(id));
      },
      (error) => log.warn(`cannot watch for changes: ${messageOf(error)}`, error),
    );
  }

  get inForce(): Builds {
    return buildsOf(this.#inForce);
  }

  /** Builds what there is. @throws InsightError when that cannot be */
  async begin(): Promise<void> {
    const { built } = await this.#readConfig();
    this.#enforce(built);
    this.#watcher.begin();
  }

  async close(): Promise<void> {
    await this.#watcher.close();
  }

  /** Says what is wrong by itself. */
  async #changed(file: string): Promise<void> {
    if (file === this.#settings.config) await this.#changeConfig();
    else if (existsSync(file)) await this.#changeScript(file);
    else await this.#settings.takeIn(file, {});
  }

  async #changeScript(script: string): Promise<void> {
    const { takeIn, log } = this.#settings;
    const began = performance.now();
    try {
      const built = new Map([[script, await this.#compileWatched(script)]]);
      if ((await takeIn(script, buildsOf(built))) !== undefined) return;
      this.#enforce(built);
      log.info(`♻️  ${describePath(script)} reloaded in ${Math.round(performance.now() - began)} ms`);
    } catch (error) {
      log.error(`${messageOf(error)}${KEPT}`, error);
    }
  }

  async #changeConfig(): Promise<void> {
    const { takeIn, log, config } = this.#settings;
    try {
      const { built, scripts } = await this.#readConfig();
      if ((await takeIn(config, buildsOf(built))) !== undefined) return;
      this.#enforce(built);
      for (const file of this.#inForce.keys())
        if (file !== config && !scripts.some(({ path }) => path === file)) this.#forget(file);
    } catch (error) {
      log.error(`${messageOf(error)}; ${describePath(config)} changes nothing`, error);
    }
  }

  /** The config, and what it names that is not in force. */
  async #readConfig(): Promise<{ built: Map<string, Compiled>; scripts: readonly ScriptSpec[] }> {
    const { flags, modules, config } = this.#settings;
    const built = new Map<string, Compiled>();
    const note = async (file: string, compiled: Promise<Compiled>): Promise<Compiled> => {
      built.set(file, await compiled);
      return compiled;
    };
    const file = await readConfig(config, modules, { compile: (entry) => note(entry, this.#compileWatched(entry)) });
    const { scripts } = settle(flags, file);
    // Built side by side; of several that are wrong, the first is told of.
    const builds = scripts.filter(({ path }) => !this.#inForce.has(path)).map(({ path }) => note(path, compile(path)));
    for (const each of builds) each.catch(() => {});
    for (const each of builds) await each;
    return { built, scripts };
  }

  /** Whatever comes of it, the next save is seen. */
  async #compileWatched(file: string): Promise<Compiled> {
    try {
      const compiled = await compile(file);
      this.#watcher.set(file, compiled.stamps);
      return compiled;
    } catch (error) {
      const { stamps } = error as Unbuilt;
      if (stamps !== undefined) this.#watcher.set(file, stamps);
      throw error;
    }
  }

  #enforce(built: ReadonlyMap<string, Compiled>): void {
    for (const [file, compiled] of built) {
      this.#inForce.set(file, compiled);
      this.#watcher.set(file, compiled.stamps);
    }
  }

  #forget(file: string): void {
    this.#inForce.delete(file);
    this.#watcher.delete(file);
  }
}

function buildsOf(compiled: ReadonlyMap<string, Compiled>): Builds {
  return Object.fromEntries([...compiled].map(([file, each]) => [file, builtOf(each)]));
}
