import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Addon, Paths, WebSocketClose, WebSocketMessage, Worker } from '../../core/addon.ts';
import { Host, type HostLimits, type OptionSources } from '../../core/host.ts';
import * as api from '../../core/index.ts';
import type { Pin } from '../../core/pin.ts';
import { readAddons } from '../../core/read-addons.ts';
import type { NamedAddon, ScriptSpec } from '../../core/script.ts';
import { nameScripts } from '../../core/script-names.ts';
import type { TunnelRequest } from '../../core/tunnel.ts';
import { WholeMessage } from '../../core/websocket-message.ts';
import { FlowRun, type Outcome } from './flow-run.ts';
import { MemoryLog } from './memory-log.ts';
import { switched, type TestFlow } from './test-flow.ts';

export const MODULES = { 'insight-dump': api };

export interface TestOptions {
  /** The addon's own options, without its name; all addons of one script get the same. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Folders for what it writes; temporary ones that `stop()` removes when they are not given. */
  readonly logs?: string;
  readonly confdir?: string;
  /** The folder that relative paths in options count from. */
  readonly config?: string;
  readonly limits?: Partial<HostLimits>;
  /** Which of several workers it is in; `tell` gets what it tells the others. */
  readonly worker?: Worker;
}

/** A message on a WebSocket: a string for text, bytes for binary. */
export interface MessageGiven {
  readonly from: WebSocketMessage['from'];
  readonly content: string | Uint8Array;
}

/** A host that remembers what went wrong in hooks. */
class TestHost extends Host {
  readonly faults: unknown[] = [];

  override fault(...fault: Parameters<Host['fault']>): void {
    super.fault(...fault);
    this.faults.push(fault[2]);
  }
}

/** An addon that lives, and the flows that run through it. */
export class AddonTest {
  readonly log = new MemoryLog();
  readonly paths: Paths;
  /** The host that holds it, as the proxy's does. */
  readonly host: TestHost;
  #options: Readonly<Record<string, unknown>>;
  readonly #temporary: string | undefined;

  constructor({ options = {}, logs, confdir, config, limits, worker }: TestOptions) {
    this.#options = options;
    this.#temporary = [logs, confdir, config].includes(undefined) ? temporaryFolder() : undefined;
    const inside = (name: string) => path.join(this.#temporary ?? '', name);
    this.paths = {
      logs: logs ?? inside('logs'),
      confdir: confdir ?? inside('conf'),
      config: config ?? inside('config'),
    };
    for (const each of Object.values(this.paths)) mkdirSync(each, { recursive: true });
    const all = { hookTimeoutMs: 10_000, lifecycleTimeoutMs: 5_000, drainMs: 1_000, ...limits };
    const part = worker && { ...worker, tell: (_addon: string, message: unknown) => worker.tell(message) };
    const settings = { log: this.log, paths: this.paths, limits: all, ...(part && { part }) };
    this.host = new TestHost(settings, this.sources());
  }

  /** Brings these addons to life: `load`, `configure`, `running`. @throws what one of them throws; nothing is left */
  async begin(addons: readonly NamedAddon[], file = 'addon.ts'): Promise<this> {
    const script = { path: file, files: new Set([file]), required: false, addons };
    try {
      this.host.apply([{ script: file, name: 'addon', required: false, instances: await this.host.prepare(script) }]);
      await this.host.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    return this;
  }

  /**
   * Runs a flow through all its hooks in their order, and says what arrived at both ends.
   *
   * @throws what a hook threw; in the proxy, that would be logged, and the flow went on
   */
  run(flow: TestFlow): Promise<Outcome> {
    return this.#pinned((pin) => new FlowRun(flow, pin).run());
  }

  /** Runs the `connect` hook. @throws what it threw */
  async connect(tunnel: TunnelRequest): Promise<TunnelRequest> {
    await this.#pinned(async (pin) => pin.dispatch('connect', tunnel));
    return tunnel;
  }

  /**
   * Runs the hooks of a WebSocket: it opens, these messages come, and it closes. Returns what is passed on.
   *
   * @throws what a hook threw
   */
  webSocket(
    flow: TestFlow,
    messages: readonly MessageGiven[],
    close: WebSocketClose = { by: 'client', code: 1000, reason: '' },
  ): Promise<WebSocketMessage[]> {
    return this.#pinned(async (pin) => {
      flow.response ??= switched();
      await pin.dispatch('websocketStart', flow);
      const passed: WholeMessage[] = [];
      for (const { from, content } of messages) {
        const message = new WholeMessage(from, typeof content === 'string', Buffer.from(content));
        await pin.dispatch('websocketMessage', flow, message);
        if (!message.dropped) passed.push(message);
      }
      await pin.dispatch('websocketEnd', flow, close);
      return passed;
    });
  }

  /** Has all addons hear what they would have told in another worker. @throws what a hook threw */
  async hear(message: unknown): Promise<void> {
    this.host.faults.length = 0;
    for (const { name } of this.host.chain.instances) await this.host.hear(name, message);
    if (this.host.faults.length > 0) throw this.host.faults[0];
  }

  /** Changes options, as an edit of the config does. @throws when they are refused; the old ones stay */
  async configure(options: Readonly<Record<string, unknown>>): Promise<void> {
    const before = this.#options;
    this.#options = options;
    try {
      await this.host.reconfigure(this.sources());
    } catch (error) {
      this.#options = before;
      throw error;
    }
  }

  /** `done`, and nothing is left. */
  async stop(): Promise<void> {
    await this.host.stop();
    if (this.#temporary !== undefined) rmSync(this.#temporary, { recursive: true, force: true });
  }

  async #pinned<T>(run: (pin: Pin) => Promise<T>): Promise<T> {
    const pin = this.host.pin();
    this.host.faults.length = 0;
    try {
      const result = await run(pin);
      if (this.host.faults.length > 0) throw this.host.faults[0];
      return result;
    } finally {
      pin.release();
    }
  }

  protected sources(): OptionSources {
    const options = this.#options;
    return { given: () => options, flags: () => new Map() };
  }
}

/** Brings an addon to life for a test. @throws InsightError when its options or its hooks refuse */
export async function testAddon(addon: Addon<never, never> | Addon, options: TestOptions = {}): Promise<AddonTest> {
  const plain = addon as Addon;
  return new AddonTest(options).begin([{ name: plain.name ?? 'addon', addon: plain }]);
}

/** The same for a script, TypeScript or JavaScript. */
export async function testScript(file: string | URL, options: TestOptions = {}): Promise<AddonTest> {
  const spec = specOf(typeof file === 'string' ? path.resolve(file) : fileURLToPath(file));
  const addons = await readAddons([spec], MODULES);
  return new AddonTest(options).begin(addons, spec.path);
}

export function specOf(file: string): ScriptSpec {
  return { path: file, name: nameScripts([file])[0] as string, required: false };
}

export function temporaryFolder(): string {
  return mkdtempSync(path.join(os.tmpdir(), 'insight-dump-'));
}
