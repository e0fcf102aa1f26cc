import type { Log } from './addon.ts';
import type { Slot } from './chain.ts';
import type { Unbuilt } from './compile.ts';
import { errors, messageOf } from './errors.ts';
import type { HostModules } from './evaluate.ts';
import type { Host, OptionSources } from './host.ts';
import { evaluateScript, type ScriptSpec } from './script.ts';
import { describePath } from './stack.ts';
import type { Watcher } from './watch.ts';
import { ALONE, type Part } from './workers/part.ts';

export interface LoaderSettings {
  readonly host: Host;
  readonly watcher: Pick<Watcher, 'set' | 'delete'>;
  readonly modules: HostModules;
  readonly log: Log;
  readonly part?: Pick<Part, 'source' | 'accord'>;
  /** Told of each reload: with the reason, when it was not taken. */
  readonly reloaded?: (script: string, error?: unknown) => void;
}

/** How long a script may be missing before its addons are unloaded: many ways of saving delete it first. */
const MISSING_GRACE_MS = 5_000;

/** Said behind what is wrong with a script. */
export const KEPT = '; the last good version stays in force';

/** Brings scripts into the host's chain, and their edits too. It knows no proxy. */
export class Loader {
  readonly #settings: LoaderSettings;
  readonly #part: Pick<Part, 'source' | 'accord'>;
  /** Builds under way, by script; one that is asked for meanwhile follows, and stands for all asked for since. */
  readonly #reloads = new Map<string, { again: boolean; settled: Promise<void> }>();
  readonly #missing = new Map<string, NodeJS.Timeout>();
  /** Reloads wait for this. */
  #held: Promise<unknown> = Promise.resolve();

  constructor(settings: LoaderSettings) {
    this.#settings = settings;
    this.#part = settings.part ?? ALONE;
  }

  /**
   * Makes the chain hold these scripts in this order: new ones load, missing ones end, the others stay as they are.
   *
   * @param check sees the chain right before it is put in force, and may throw
   * @throws InsightError when one of the new ones does not load, or what `check` throws; the chain stays as it was
   */
  async setScripts(
    specs: readonly ScriptSpec[],
    sources?: OptionSources,
    check: (slots: readonly Slot[]) => void | Promise<void> = () => {},
  ): Promise<void> {
    const { host, watcher } = this.#settings;
    assertNoneTwice(specs);
    const before = host.chain.slots;
    const wanted = specs.filter((spec) => slotFor(spec, before) === undefined);
    // Built side by side, loaded in order.
    const builds = wanted.map((spec) => this.#part.source.compile(spec.path));
    for (const build of builds) build.catch(() => {});
    const stays = (script: string) => specs.some((spec) => spec.path === script);
    const fresh: Slot[] = [];
    try {
      for (const [i, spec] of wanted.entries()) {
        fresh.push({ ...slotOf(spec), instances: await this.#load(spec, builds[i], sources, stays) });
      }
      // What stays is taken as it is by now: it may have been reloaded meanwhile.
      const slots = specs.map((spec) => slotFor(spec, fresh) ?? slotFor(spec, host.chain.slots) ?? slotOf(spec));
      await check(slots);
      host.apply(slots);
    } catch (error) {
      for (const { instances } of fresh) host.discard(instances);
      for (const { path } of wanted) if (!before.some(({ script }) => script === path)) watcher.delete(path);
      throw error;
    }
    for (const { script } of before) if (!stays(script)) this.#forget(script);
  }

  /**
   * Makes a change while no script is being reloaded, so that none comes in with what was in force before. Scripts that
   * are saved meanwhile are reloaded afterwards.
   */
  exclusively<T>(change: () => Promise<T>): Promise<T> {
    const underWay = [...this.#reloads.values()].map(({ settled }) => settled);
    const changed = Promise.all([this.#held, ...underWay]).then(change);
    this.#held = changed.catch(() => {});
    return changed;
  }

  /** A file of the script has changed: bring the new version in, or say why not and keep the old one. */
  reload(script: string): Promise<void> {
    const running = this.#reloads.get(script);
    if (running !== undefined) {
      running.again = true;
      return running.settled;
    }
    const reload = { again: false, settled: Promise.resolve() };
    reload.settled = this.#held.then(() => this.#reloadUntilCurrent(script, reload));
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
    if (!this.#part.source.isThere(script)) {
      this.#waitForReturn(slot);
      return;
    }
    this.#clearMissing(script);
    const began = performance.now();
    try {
      const instances = await this.#load({ path: script, name: slot.name, required: slot.required });
      await this.#agree(instances);
      if (!this.#replace(script, instances)) return;
      const took = Math.round(performance.now() - began);
      log.info(`♻️  ${describePath(script)} reloaded in ${took} ms`);
      this.#settings.reloaded?.(script);
    } catch (error) {
      this.#part.accord.refuse(error);
      const kept = slot.instances.length > 0 ? KEPT : '';
      log.error(`${messageOf(error)}${kept}`, error);
      this.#settings.reloaded?.(script, error);
    }
  }

  /** Waits until these can be taken in by all workers. @throws when one of them cannot */
  async #agree(instances: Slot['instances']): Promise<void> {
    try {
      await this.#part.accord.ready();
    } catch (error) {
      this.#settings.host.discard(instances);
      throw error;
    }
  }

  async #load(
    spec: ScriptSpec,
    build = this.#part.source.compile(spec.path),
    sources?: OptionSources,
    stays?: (script: string) => boolean,
  ): Promise<Slot['instances']> {
    const { host, watcher, modules, log } = this.#settings;
    try {
      const compiled = await build;
      watcher.set(spec.path, compiled.stamps);
      const script = evaluateScript(spec, compiled, modules, (message) => log.warn(message));
      return await host.prepare(script, sources, stays);
    } catch (error) {
      const { stamps } = error as Unbuilt;
      if (stamps !== undefined) watcher.set(spec.path, stamps);
      throw error;
    }
  }

  /** Puts new instances into the place of a script's old ones, if it still has one. */
  #replace(script: string, instances: Slot['instances']): boolean {
    const { host } = this.#settings;
    const isListed = host.chain.slots.some((slot) => slot.script === script);
    try {
      if (isListed)
        host.apply(host.chain.slots.map((slot) => (slot.script === script ? { ...slot, instances } : slot)));
      else host.discard(instances);
    } catch (error) {
      host.discard(instances);
      throw error;
    }
    return isListed;
  }

  #waitForReturn({ script, required }: Slot): void {
    if (this.#missing.has(script)) return;
    const timer = setTimeout(() => {
      this.#missing.delete(script);
      if (this.#part.source.isThere(script)) return;
      const refused = required ? ', and all traffic is refused: it is required' : '';
      this.#settings.log.warn(`${describePath(script)} is gone; its addons are unloaded until it comes back${refused}`);
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

/** A place in the chain that nothing has come to yet. */
function slotOf({ path, name, required }: ScriptSpec): Slot {
  return { script: path, name, required, instances: [] };
}

/** The slot that a spec asks for, if it is among these. */
function slotFor(spec: ScriptSpec, slots: readonly Slot[]): Slot | undefined {
  return slots.find(
    ({ script, name, required }) => script === spec.path && name === spec.name && required === spec.required,
  );
}

function assertNoneTwice(specs: readonly ScriptSpec[]): void {
  const seen = new Set<string>();
  for (const { path } of specs) {
    if (seen.has(path)) throw errors.scriptTwice(describePath(path));
    seen.add(path);
  }
}
