import { chmod, mkdir } from 'node:fs/promises';
import type net from 'node:net';
import type { Log } from './addon.ts';
import type { Slot } from './chain.ts';
import type { Unbuilt } from './compile.ts';
import { confdirOf, type FixedSettings, type Settings, settle } from './config.ts';
import { readConfig } from './config-file.ts';
import { copilotObservers } from './copilot/observer.ts';
import { describeFlow } from './dump.ts';
import { loadCertificateAuthority } from './engine/ca.ts';
import { Engine } from './engine/engine.ts';
import { errors, messageOf } from './errors.ts';
import type { HttpFlow } from './flow.ts';
import { Host } from './host.ts';
import { Loader } from './loader.ts';
import type { ChildLog } from './log.ts';
import { didYouMean } from './nearest.ts';
import type { Prepared } from './prepare.ts';
import { describePath } from './stack.ts';
import { Watcher } from './watch.ts';
import { ALONE, type ListenAddress, type Part } from './workers/part.ts';

/** How long an addon's `load`, `configure`, `running` or `done` may take. */
const LIFECYCLE_TIMEOUT_MS = 5_000;

export interface MasterSettings extends Prepared {
  readonly logs: ChildLog;
  readonly part?: Part;
  /** Told when it listens, before the addons are told that they are running. */
  readonly listens: (greeting: Greeting) => void;
}

/** What an administrator is to know of a proxy that listens. */
export interface Greeting {
  readonly url: string;
  readonly addons: readonly string[];
  readonly caFile: string;
  /** The CA was made just now. */
  readonly caCreated: boolean;
}

/** Wires the host, its loader and the engine together; starts, changes and stops them. */
export class Master {
  readonly #given: MasterSettings;
  readonly #part: Part;
  readonly #log: Log;
  readonly #flowLog: Log;
  readonly #host: Host;
  readonly #watcher: Watcher;
  readonly #loader: Loader;
  #settings: Settings;
  #engine: Engine | undefined;
  #listensOn: ListenAddress | undefined;
  #stopping: Promise<void> | undefined;
  #configChange = Promise.resolve();

  constructor(given: MasterSettings) {
    const { settings, logs, modules, flags, part = ALONE } = given;
    this.#given = given;
    this.#part = part;
    this.#settings = settings;
    this.#log = logs.child();
    this.#flowLog = logs.child(undefined, 'flow');
    const paths = { logs: settings.fixed.logs, confdir: confdirOf(flags), config: settings.home };
    this.#host = new Host({ log: logs, paths, limits: limitsOf(settings), part }, settings.options);
    this.#watcher = new Watcher(
      flags.watch ?? 'events',
      (id) => void this.takeIn(id),
      (error) => this.#log.warn(`cannot watch for changes: ${messageOf(error)}`, error),
    );
    // Of several workers, none knows when all have taken in a save: the primary says so.
    const log = part.count === 1 ? this.#log : { ...this.#log, info: this.#log.debug };
    this.#loader = new Loader({ host: this.#host, watcher: this.#watcher, modules, log, part });
  }

  /**
   * Loads the addons, then opens the port.
   *
   * @throws InsightError when any of that fails; nothing is left open then
   */
  async start(): Promise<void> {
    try {
      await this.#start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /**
   * Takes nothing new, lets flows end, ends the addons, closes. Once.
   *
   * @param others the addons live on until then
   */
  stop(others?: Promise<void>): Promise<void> {
    this.#stopping ??= this.#stop(others);
    return this.#stopping;
  }

  /** The config or a script has changed: takes it in, or says why not. Resolves when that is over. */
  takeIn(file: string): Promise<void> {
    return file === this.#given.configFile.path ? this.#onConfigChange() : this.#loader.reload(file);
  }

  /** A client's connection, which the primary has accepted. */
  take(connection: net.Socket): void {
    // Without an engine, it does not listen yet, or could not.
    if (this.#engine === undefined || this.#stopping !== undefined) connection.destroy();
    else this.#engine.take(connection);
  }

  /** An addon has told something in another worker. */
  hear(addon: string, message: unknown): Promise<void> {
    return this.#host.hear(addon, message);
  }

  /** For errors that reached nobody: they are an addon's fault or ours, and no reason to end. */
  report(error: unknown): void {
    this.#host.faultOutsideHooks(error);
  }

  async #start(): Promise<void> {
    const { flags, configFile, logs } = this.#given;
    const { scripts, listen, fixed, rules } = this.#settings;
    const confdir = confdirOf(flags);
    await makePrivateFolder('the CA and secrets', confdir);
    await this.#loader.setScripts(scripts, undefined, (slots) => this.#check(slots, this.#settings));
    const ca = await loadCertificateAuthority(confdir);
    this.#engine = new Engine({
      host: this.#host,
      ca,
      rules,
      upstreamCa: fixed.upstreamCa,
      log: logs.child(),
      observers: copilotObservers((error) => this.report(error)),
      flowEnded: (flow) => this.#tell(flow),
    });
    const url = await this.#listen(listen);
    const addons = this.#host.chain.instances.map(({ name }) => name);
    this.#given.listens({ url, addons, caFile: ca.certFile, caCreated: ca.created });
    this.#engine.warmUp().catch((error) => this.report(error));
    this.#watcher.set(configFile.path, configFile.stamps);
    this.#watcher.begin();
    await this.#host.start();
  }

  async #stop(others?: Promise<void>): Promise<void> {
    const { drainMs } = this.#settings;
    this.#loader.close();
    await this.#watcher.close();
    await this.#engine?.close(drainMs);
    await others;
    await this.#host.stop();
  }

  /** Config changes come one after the other. */
  #onConfigChange(): Promise<void> {
    this.#configChange = this.#configChange.then(() => this.#applyConfig());
    return this.#configChange;
  }

  async #applyConfig(): Promise<void> {
    const { flags, configFile, modules } = this.#given;
    const name = describePath(configFile.path);
    const before = this.#settings;
    try {
      const file = await readConfig(configFile.path, modules, this.#part.source);
      this.#watcher.set(file.path, file.stamps);
      const after = settle(flags, file);
      await this.#loader.exclusively(() => this.#changeChain(before, after));
      this.#host.limits = limitsOf(after);
      if (this.#engine !== undefined) this.#engine.rules = after.rules;
      this.#settings = { ...after, fixed: before.fixed };
      this.#log.info(`♻️  ${name} applied`);
      for (const key of needsRestart(before.fixed, after.fixed)) {
        this.#log.warn(`${name}: ${key} changes with the next start; until then it stays ${before.fixed[key]}`);
      }
    } catch (error) {
      this.#part.accord.refuse(error);
      const { stamps } = error as Unbuilt;
      if (stamps !== undefined) this.#watcher.set(configFile.path, stamps);
      this.#log.error(`${messageOf(error)}; ${name} changes nothing`, error);
    }
  }

  /** Options first, then the address and the scripts; all or nothing. */
  async #changeChain(before: Settings, after: Settings): Promise<void> {
    // What goes needs no options any more, and may not be without them.
    const stays = (script: string) => after.scripts.some(({ path }) => path === script);
    await this.#host.reconfigure(after.options, stays);
    try {
      await this.#loader.setScripts(after.scripts, after.options, async (slots) => {
        this.#check(slots, after);
        await this.#move(after.listen);
        await this.#part.accord.ready();
      });
    } catch (error) {
      await this.#host.reconfigure(before.options);
      await this.#move(before.listen);
      throw error;
    }
  }

  /** Listens there, if it does not already. @throws InsightError `portInUse`, `cannotListen` */
  async #move(to: ListenAddress): Promise<void> {
    const from = this.#listensOn;
    if (from === undefined || (to.host === from.host && to.port === from.port)) return;
    this.#log.info(`🚀 now on ${await this.#listen(to)}`);
  }

  /** @returns the URL of the proxy */
  async #listen(to: ListenAddress): Promise<string> {
    const engine = this.#engine as Engine;
    await engine.open();
    const { address, port } = await (this.#part.listen?.(to) ?? engine.listen(to.host, to.port));
    this.#listensOn = to;
    return `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
  }

  /** What must hold of a chain before it is put in force. */
  #check(slots: readonly Slot[], { optionsFor, knownAddons, listen }: Settings): void {
    const instances = slots.flatMap((slot) => slot.instances);
    const names = instances.map(({ name }) => name);
    for (const { addon, source } of optionsFor) {
      const known = [...new Set([...names, ...knownAddons])];
      if (!known.includes(addon))
        throw errors.unknownAddon(
          source,
          addon,
          didYouMean(addon, known) || `; there are ${known.join(', ') || 'none'}`,
        );
    }
    const authenticates = instances.some(({ addon }) => addon.authenticates);
    if (!authenticates && !isLoopback(listen.host) && !this.#given.flags.insecureOpen)
      throw errors.openProxy(listen.host);
  }

  #tell(flow: HttpFlow): void {
    const { flowDetail } = this.#settings;
    if (flowDetail > 0) this.#flowLog.info(describeFlow(flow, flowDetail));
  }
}

/** Says how to use a proxy that listens, with so many workers. */
export function greet({ url, addons, caFile, caCreated }: Greeting, version: string, workers: number, log: Log): void {
  const names = addons.join(' → ') || 'none';
  const many = workers > 1 ? `, by ${workers} workers` : '';
  log.info(`🚀 insight-dump ${version} on ${url} with addons ${names}${many}`);
  log.info(`📜 CA ${caCreated ? 'made: ' : ''}${caFile} (clients have to trust it, e.g. by NODE_EXTRA_CA_CERTS)`);
  log.info(`👉 next: set ${url} as your editor's proxy, with a user name and password`);
}

/** Makes a folder that only its owner can look into. @throws InsightError `folderUnusable` */
export async function makePrivateFolder(what: string, folder: string): Promise<void> {
  try {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (made !== undefined) await chmod(folder, 0o700);
  } catch (error) {
    throw errors.folderUnusable(what, folder, error);
  }
}

function limitsOf({ hookTimeoutMs, drainMs }: Settings) {
  return { hookTimeoutMs, lifecycleTimeoutMs: LIFECYCLE_TIMEOUT_MS, drainMs };
}

function needsRestart(before: FixedSettings, after: FixedSettings): (keyof FixedSettings)[] {
  return (Object.keys(before) as (keyof FixedSettings)[]).filter((key) => before[key] !== after[key]);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}
