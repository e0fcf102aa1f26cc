import { existsSync } from 'node:fs';
import type { Log } from './addon.ts';
import type { Slot } from './chain.ts';
import { type CompileFailure, compile } from './compile.ts';
import { errors, messageOf } from './errors.ts';
import { evaluate, type HostModules } from './evaluate.ts';
import type { Host, OptionSources, Script } from './host.ts';
import { addonsOf } from './script.ts';
import { describePath } from './stack.ts';
import type { Watcher } from './watch.ts';

/** A script that should be in the chain. */
export interface ScriptSpec {
  /** Absolute path. */
  readonly path: string;
  readonly required: boolean;
}

export interface LoaderSettings {
  readonly host: Host;
  readonly watcher: Pick<Watcher, 'set' | 'delete'>;
  readonly modules: HostModules;
  readonly log: Log;
}

/** How long a script may be missing before its addons are unloaded: many ways of saving delete it first. */
const MISSING_GRACE_MS = 2_000;

/** Brings scripts into the host's chain, and their edits too. It knows no proxy. */
export class Loader {
  readonly #settings: LoaderSettings;
  /** Builds under way, by script; one that is asked for meanwhile follows, and stands for all asked for since. */
  readonly #reloads = new Map<string, { again: boolean; settled: Promise<void> }>();
  readonly #missing = new Map<string, NodeJS.Timeout>();

  constructor(settings: LoaderSettings) {
    this.#settings = settings;
  }

  /**
   * Makes the chain hold these scripts in this order: new ones load, missing ones end, the others stay as they are.
   *
   * @param check sees the chain before it is put in force, and may throw
   * @throws InsightError when one of the new ones does not load, or what `check` throws; the chain stays as it was
   */
  async setScripts(
    specs: readonly ScriptSpec[],
    sources?: OptionSources,
    check: (slots: readonly Slot[]) => void = () => {},
  ): Promise<void> {
    const { host, watcher } = this.#settings;
    assertNoneTwice(specs);
    const before = host.chain.slots;
    const slots: Slot[] = [];
    const fresh: Slot[] = [];
    const keptFor = (spec: ScriptSpec) =>
      before.find(({ script, required }) => script === spec.path && required === spec.required);
    // Built side by side, loaded in order.
    const builds = specs.map((spec) => (keptFor(spec) === undefined ? compile(spec.path) : undefined));
    for (const build of builds) build?.catch(() => {});
    try {
      for (const [i, spec] of specs.entries()) {
        const build = builds[i];
        const kept = keptFor(spec);
        const slot = kept ?? {
          script: spec.path,
          required: spec.required,
          instances: await this.#load(spec, build, sources),
        };
        slots.push(slot);
        if (kept === undefined) fresh.push(slot);
      }
      check(slots);
      host.apply(slots);
    } catch (error) {
      for (const { script, instances } of fresh) {
        host.discard(instances);
        if (!before.some((slot) => slot.script === script)) watcher.delete(script);
      }
      throw error;
    }
    for (const { script } of before) if (!specs.some((spec) => spec.path === script)) this.#forget(script);
  }

  /** A file of the script has changed: bring the new version in, or say why not and keep the old one. */
  reload(script: string): Promise<void> {
    const running = this.#reloads.get(script);
    if (running !== undefined) {
      running.again = true;
      return running.settled;
    }
    const reload = { again: false, settled: Promise.resolve() };
    reload.settled = this.#reloadUntilCurrent(script, reload);
    this.#reloads.set(script, reload);
    return reload.settled;
  }

  close(): void {
    for (const timer of this.#missing.values()) clearTimeout(timer);
  }

  async #reloadUntilCurrent(script: string, reload: { again: boolean }): Promise<void> {
    do {
      reload.again = false;
      await this.#reloadOnce(script);
    } while (reload.again);
    this.#reloads.delete(script);
  }

  async #reloadOnce(script: string): Promise<void> {
    const { host, log } = this.#settings;
    const slot = host.chain.slots.find((each) => each.script === script);
    if (slot === undefined) return;
    if (!existsSync(script)) {
      this.#waitForReturn(script);
      return;
    }
    this.#clearMissing(script);
    const began = performance.now();
    try {
      const instances = await this.#load({ path: script, required: slot.required });
      this.#replace(script, instances);
      const took = Math.round(performance.now() - began);
      log.info(`♻️  ${describePath(script)} reloaded in ${took} ms`);
    } catch (error) {
      const kept = slot.instances.length > 0 ? '; the last good version stays in force' : '';
      log.error(`${messageOf(error)}${kept}`, error);
    }
  }

  async #load(spec: ScriptSpec, build = compile(spec.path), sources?: OptionSources): Promise<Slot['instances']> {
    const { host, watcher } = this.#settings;
    try {
      const { code, inputs, readAtMs } = await build;
      watcher.set(spec.path, { files: inputs, readAtMs });
      return await host.prepare(this.#evaluate(spec, code, inputs), sources);
    } catch (error) {
      const { inputs, readAtMs } = error as CompileFailure;
      if (inputs !== undefined && readAtMs !== undefined)
        watcher.set(spec.path, { files: inputs, readAtMs, failed: true });
      throw error;
    }
  }

  #evaluate(spec: ScriptSpec, code: string, inputs: ReadonlySet<string>): Script {
    const exports = evaluate(code, spec.path, inputs, this.#settings.modules);
    const addons = addonsOf(exports, spec.path, (message) => this.#settings.log.warn(message));
    return { path: spec.path, required: spec.required, files: inputs, addons };
  }

  #replace(script: string, instances: Slot['instances']): void {
    const { host } = this.#settings;
    try {
      host.apply(host.chain.slots.map((slot) => (slot.script === script ? { ...slot, instances } : slot)));
    } catch (error) {
      host.discard(instances);
      throw error;
    }
  }

  #waitForReturn(script: string): void {
    if (this.#missing.has(script)) return;
    const timer = setTimeout(() => {
      this.#missing.delete(script);
      if (existsSync(script)) return;
      this.#settings.log.warn(`${describePath(script)} is gone; its addons are unloaded until it comes back`);
      this.#replace(script, []);
    }, MISSING_GRACE_MS);
    this.#missing.set(script, timer);
  }

  #forget(script: string): void {
    this.#clearMissing(script);
    this.#settings.watcher.delete(script);
  }

  #clearMissing(script: string): void {
    clearTimeout(this.#missing.get(script));
    this.#missing.delete(script);
  }
}

function assertNoneTwice(specs: readonly ScriptSpec[]): void {
  const seen = new Set<string>();
  for (const { path } of specs) {
    if (seen.has(path)) throw errors.scriptTwice(describePath(path));
    seen.add(path);
  }
}
