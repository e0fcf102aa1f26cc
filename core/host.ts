import { setMaxListeners } from 'node:events';
import type { Addon, Log, Paths } from './addon.ts';
import { Chain, type Instance, type Slot } from './chain.ts';
import { errors, messageOf } from './errors.ts';
import { Faults } from './faults.ts';
import type { LifecycleHook, TrafficHook } from './hooks.ts';
import type { ChildLog } from './log.ts';
import { changedOptions, type FlagValues, type GivenOptions, resolveOptions } from './options.ts';
import { Pin, type PinHost } from './pin.ts';
import type { NamedAddon, Script } from './script.ts';
import { describePath, describePlace, placeIn } from './stack.ts';
import { isThenable, withTimeLimit } from './time-limit.ts';
import { ALONE, type Part } from './workers/part.ts';

/** Option values from all sources, by addon name. */
export interface OptionSources {
  given(addon: string): GivenOptions;
  flags(addon: string): ReadonlyMap<string, FlagValues>;
}

export interface HostSettings {
  readonly log: ChildLog;
  readonly paths: Paths;
  readonly limits: HostLimits;
  readonly part?: Pick<Part, 'number' | 'count' | 'tell'>;
}

export interface HostLimits {
  readonly hookTimeoutMs: number;
  readonly lifecycleTimeoutMs: number;
  /** How long flows may go on with an instance that has been replaced. */
  readonly drainMs: number;
}

/** Holds the chain of addons, and takes each through its life. It knows no proxy, no compiler and no file watcher. */
export class Host implements PinHost {
  #chain = new Chain();
  #running = false;
  readonly #log: Log;
  readonly #settings: HostSettings;
  limits: HostLimits;
  #sources: OptionSources;
  readonly #states = new Map<string, object>();
  /** Replaced chains that flows are still on their way with. */
  readonly #superseded = new Set<Chain>();
  /** By script: what its replaced and new instances still have to go through, one after the other. */
  readonly #tails = new Map<string, Promise<void>>();
  readonly #faults = new Faults();

  constructor(settings: HostSettings, sources: OptionSources) {
    this.#settings = settings;
    this.limits = settings.limits;
    this.#log = settings.log.child();
    this.#sources = sources;
  }

  get chain(): Chain {
    return this.#chain;
  }

  get hookTimeoutMs(): number {
    return this.limits.hookTimeoutMs;
  }

  /** Ties a flow that begins now to the chain now in force. */
  pin(): Pin {
    return new Pin(this);
  }

  /**
   * Makes a script's addons and takes them through `load` and `configure`. They are not in the chain yet.
   *
   * @param stays which other scripts of the chain are to be in it together with this one
   * @throws InsightError when names, options or a hook fail; nothing has changed then
   */
  async prepare(
    script: Script,
    sources: OptionSources = this.#sources,
    stays: (script: string) => boolean = () => true,
  ): Promise<Instance[]> {
    const others = this.#chain.instances.filter((each) => each.script !== script.path && stays(each.script));
    const instances: Instance[] = [];
    try {
      for (const named of script.addons) {
        assertFreeName(named.name, script.path, [...others, ...instances]);
        const instance = this.#instance(script, named, sources);
        instances.push(instance);
        await this.#lifecycle(instance, 'load');
        await this.#lifecycle(instance, 'configure', new Set(Object.keys(instance.options)));
      }
    } catch (error) {
      this.discard(instances);
      throw error;
    }
    return instances;
  }

  /** Lets go of prepared instances that never went live. */
  discard(instances: readonly Instance[]): void {
    for (const { end } of instances) end.abort();
  }

  /**
   * Puts a chain in force: at once for flows that begin from now on. Instances that are no longer in it are done once
   * their flows have ended; new ones are told that they are running after that.
   *
   * @throws InsightError `duplicateAddon`
   */
  apply(slots: readonly Slot[]): void {
    const before = this.#chain;
    const after = new Chain(slots);
    assertUniqueNames(after);
    this.#chain = after;
    this.#superseded.add(before);
    void before.drained().then(() => this.#superseded.delete(before));
    const gone = before.instances.filter((instance) => !after.instances.includes(instance));
    const fresh = after.instances.filter((instance) => !before.instances.includes(instance));
    for (const script of new Set([...gone, ...fresh].map((instance) => instance.script))) {
      const of = (instances: Instance[]) => instances.filter((instance) => instance.script === script);
      const tail = (this.#tails.get(script) ?? Promise.resolve())
        .then(() => this.#retire(of(gone)))
        .then(() => this.#run(of(fresh)));
      this.#tails.set(script, tail);
    }
  }

  /**
   * Takes over new option values: each addon of these scripts whose options change is configured. All or nothing.
   *
   * @throws InsightError when a value is wrong or an addon refuses; the old options are back in force then
   */
  async reconfigure(sources: OptionSources, concerns: (script: string) => boolean = () => true): Promise<void> {
    const changes = this.#chain.instances
      .filter(({ script }) => concerns(script))
      .map((instance) => {
        const { name, addon, options } = instance;
        const after = resolveOptions(name, addon, sources.given(name), sources.flags(name));
        return { instance, before: options, after, changed: changedOptions(options, after) };
      })
      .filter(({ changed }) => changed.size > 0);
    const applied: typeof changes = [];
    try {
      for (const change of changes) {
        applied.push(change);
        change.instance.options = change.after;
        await this.#lifecycle(change.instance, 'configure', change.changed);
      }
    } catch (error) {
      for (const { instance, before, changed } of applied) {
        instance.options = before;
        await this.#quietly(instance, 'configure', changed);
      }
      throw error;
    }
    this.#sources = sources;
  }

  /** The proxy listens: every addon is running from now on. */
  async start(): Promise<void> {
    await this.#settled();
    this.#running = true;
    for (const instance of this.#chain.instances) await this.#quietly(instance, 'running');
  }

  /** Ends every addon, once the flows have ended or the drain limit has passed. */
  async stop(): Promise<void> {
    this.#running = false;
    this.apply([]);
    await this.#settled();
  }

  /** An addon has told something in another worker. Nobody hears it where that addon is not loaded. */
  async hear(addon: string, message: unknown): Promise<void> {
    const instance = this.#chain.instances.find(({ name }) => name === addon);
    if (instance !== undefined) await this.#quietly(instance, 'workerMessage', message);
  }

  fault(instance: Instance, hook: TrafficHook | LifecycleHook, error: unknown): void {
    const log = this.#settings.log.child(instance.name);
    this.#faults.say(log, `${hook} failed at ${whereOf(error, instance)}: ${messageOf(error)}`, error);
  }

  /** Says which addon an error came from that reached nobody, if its stack tells. */
  faultOutsideHooks(error: unknown): void {
    const instance = this.#chain.instances.find(({ files }) => placeIn(error, files) !== undefined);
    const place = instance && placeIn(error, instance.files);
    const log = this.#settings.log.child(instance?.name);
    this.#faults.say(log, `unhandled error${place ? ` at ${describePlace(place)}` : ''}: ${messageOf(error)}`, error);
  }

  #instance(script: Script, { name, addon }: NamedAddon, sources: OptionSources): Instance {
    const { log, paths, part = ALONE } = this.#settings;
    const end = new AbortController();
    // Addons are told to bind to it whatever they have under way, however much that is.
    setMaxListeners(0, end.signal);
    const instance: Instance = {
      name,
      addon,
      script: script.path,
      files: script.files,
      module: script.module,
      required: script.required,
      end,
      options: resolveOptions(name, addon, sources.given(name), sources.flags(name)),
      context: {
        name,
        get options() {
          return instance.options;
        },
        log: log.child(name),
        signal: end.signal,
        state: this.#stateOf(name, addon),
        paths,
        worker: { number: part.number, count: part.count, tell: (message) => part.tell(name, message) },
      },
    };
    return instance;
  }

  /** The state that earlier instances of that name left, with what a new version adds. */
  #stateOf(name: string, addon: Addon): object {
    const first = (addon.state?.() ?? {}) as object;
    const kept = this.#states.get(name);
    if (kept === undefined) {
      this.#states.set(name, first);
      return first;
    }
    for (const [key, value] of Object.entries(first)) {
      if (!Object.hasOwn(kept, key)) (kept as Record<string, unknown>)[key] = value;
    }
    return kept;
  }

  async #retire(instances: readonly Instance[]): Promise<void> {
    if (instances.length === 0) return;
    const { drainMs } = this.limits;
    // Flows that have outlived the limit once go on with the chain in force, and hold nothing up any more.
    const chains = [...this.#superseded].filter(
      (chain) => !chain.expired && instances.some((each) => chain.instances.includes(each)),
    );
    const drained = Promise.all(chains.map((chain) => chain.drained()));
    await withTimeLimit(drained, drainMs, () => errors.hookTimeout('flows', drainMs)).catch(() => {
      for (const chain of chains) chain.expired = true;
      const names = instances.map(({ name }) => name).join(', ');
      this.#log.debug(`flows outlive the old ${names} by more than ${drainMs} ms; they go on with the new one`);
    });
    for (const instance of instances) {
      instance.end.abort();
      await this.#quietly(instance, 'done');
    }
  }

  async #run(instances: readonly Instance[]): Promise<void> {
    for (const instance of instances) {
      if (this.#running && this.#chain.instances.includes(instance)) await this.#quietly(instance, 'running');
    }
  }

  async #settled(): Promise<void> {
    await Promise.all(this.#tails.values());
  }

  /** Runs a lifecycle hook; a failure is logged and changes nothing. */
  async #quietly(instance: Instance, hook: LifecycleHook, given?: unknown): Promise<void> {
    try {
      await this.#call(instance, hook, given);
    } catch (error) {
      this.fault(instance, hook, error);
    }
  }

  async #lifecycle(instance: Instance, hook: LifecycleHook, given?: unknown): Promise<void> {
    try {
      await this.#call(instance, hook, given);
    } catch (error) {
      throw errors.lifecycleFailed(instance.name, hook, error, whereOf(error, instance));
    }
  }

  /** @param given what `configure` and `workerMessage` get beside the context */
  async #call(instance: Instance, hook: LifecycleHook, given: unknown): Promise<void> {
    const limitMs = this.limits.lifecycleTimeoutMs;
    const result = resultOf(instance, hook, given);
    if (isThenable(result)) await withTimeLimit(result, limitMs, () => errors.hookTimeout(hook, limitMs));
  }
}

function resultOf({ addon, context }: Instance, hook: LifecycleHook, given: unknown): unknown {
  switch (hook) {
    case 'configure':
      return addon.configure?.(context, given as ReadonlySet<string>);
    case 'workerMessage':
      return addon.workerMessage?.(given, context);
    default:
      return addon[hook]?.(context);
  }
}

/** The author's line, if the stack tells; else the script. */
function whereOf(error: unknown, { files, script }: Instance): string {
  const place = placeIn(error, files);
  return place === undefined ? describePath(script) : describePlace(place);
}

function assertUniqueNames({ instances }: Chain): void {
  for (const [i, { name, script }] of instances.entries()) assertFreeName(name, script, instances.slice(0, i));
}

function assertFreeName(name: string, script: string, others: readonly Instance[]): void {
  const other = others.find((each) => each.name === name);
  if (other !== undefined) throw errors.duplicateAddon(name, describePath(other.script), describePath(script));
}
