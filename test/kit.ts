/**
 * A kit for tests of addons, given to authors as `insight-dump/testing`. It runs an addon's hooks over flows without a
 * proxy, a port or a network.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Addon, AnsweredFlow, FailedFlow, Flow, FlowError, HeaderList, Log, Tunnel } from '../core/addon.ts';
import { collectBody } from '../core/engine/relay.ts';
import { HttpFlow, type HttpMessage, HttpRequest, HttpResponse } from '../core/flow.ts';
import { type HeaderPair, Headers } from '../core/headers.ts';
import { Host, type HostLimits, type OptionSources } from '../core/host.ts';
import * as api from '../core/index.ts';
import { Loader } from '../core/loader.ts';
import type { ChildLog } from '../core/log.ts';
import type { Pin } from '../core/pin.ts';
import { readAddons } from '../core/read-addons.ts';
import type { NamedAddon, ScriptSpec } from '../core/script.ts';
import { nameScripts } from '../core/script-names.ts';
import { TunnelRequest } from '../core/tunnel.ts';
import { Watcher } from '../core/watch.ts';

const MODULES = { 'insight-dump': api };
const BODY_LIMIT_BYTES = 32 * 1024 * 1024;

// ----------------------------------------------------------------------------------------------------------------- flows

export type HeadersGiven = Readonly<Record<string, string>> | readonly HeaderPair[];

/** What a flow is to be; everything has a default. */
export interface FlowParts {
  /** Default `GET`, or `POST` when there is a body. */
  readonly method?: string;
  /** Default `https://api.githubcopilot.com/`. */
  readonly url?: string;
  readonly headers?: HeadersGiven;
  readonly body?: string | Uint8Array;
  /** Who asks; undefined for nobody. Default `alice`. */
  readonly user?: string | undefined;
  /** IP address of the client. */
  readonly address?: string;
  /** What the upstream answers. */
  readonly response?: {
    readonly status?: number;
    readonly headers?: HeadersGiven;
    readonly body?: string | Uint8Array;
  };
  /** How the exchange fails, after what `response` says of it has come, if it says anything. */
  readonly error?: FlowError;
}

/** A flow of a test: it knows what the upstream is going to answer. */
export class TestFlow extends HttpFlow {
  readonly upstream: FlowParts['response'];
  readonly failure: FlowError | undefined;
  readonly requestBody: Buffer;

  constructor(parts: FlowParts = {}) {
    const { url = 'https://api.githubcopilot.com/', body = '', headers = {}, address = '10.0.0.1' } = parts;
    const { method = body === '' ? 'GET' : 'POST' } = parts;
    const user = 'user' in parts ? parts.user : 'alice';
    const head = { method, target: TARGET, path: '/', headers: headersOf(headers), httpVersion: '2.0' } as const;
    super({ id: 'client-1', address, port: 50_000, user }, new HttpRequest(head, BODY_LIMIT_BYTES));
    // Sets the host header too, as a client would.
    this.request.url = url;
    this.upstream = parts.response;
    this.failure = parts.error;
    this.requestBody = Buffer.from(body);
  }
}

const TARGET = { scheme: 'https', host: 'api.githubcopilot.com', port: 443 } as const;

/** Makes a flow that has not begun. */
export function makeFlow(parts: FlowParts = {}): TestFlow {
  return new TestFlow(parts);
}

/** Makes a tunnel that no addon has seen; `headers` may hold `Proxy-Authorization`. */
export function makeTunnel(
  parts: Partial<Pick<Tunnel, 'kind' | 'host' | 'port' | 'decision'>> & {
    address?: string;
    headers?: HeadersGiven;
  } = {},
): TunnelRequest {
  const { kind = 'connect', host = TARGET.host, port = TARGET.port, decision = 'intercept' } = parts;
  const client = { id: 'client-1', address: parts.address ?? '10.0.0.1', port: 50_000, user: undefined };
  return new TunnelRequest({ kind, client, host, port, decision, headers: headersOf(parts.headers ?? {}) });
}

function headersOf(given: HeadersGiven): Headers {
  return new Headers(Array.isArray(given) ? given : (Object.entries(given) as HeaderPair[]));
}

// -------------------------------------------------------------------------------------------------------------- an addon

/** A message as it arrived at the other end. */
export interface Arrived {
  readonly headers: HeaderList;
  /** As UTF-8. */
  readonly body: string;
  readonly bytes: Buffer;
}

/** What became of a flow. */
export interface Outcome {
  /** What the upstream got; undefined when it was not asked. */
  readonly sent: (Arrived & { readonly method: string; readonly url: string }) | undefined;
  /** What the client got; undefined when it was cut off. */
  readonly received: (Arrived & { readonly status: number }) | undefined;
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly addon: string | undefined;
  readonly message: string;
}

/** A log that remembers. */
export class MemoryLog implements ChildLog {
  readonly lines: LogLine[] = [];

  child(addon?: string): Log {
    const write = (level: LogLine['level']) => (message: string) => void this.lines.push({ level, addon, message });
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  }

  /** Messages of these levels. */
  of(...levels: readonly LogLine['level'][]): string[] {
    return this.lines.filter(({ level }) => levels.includes(level)).map(({ message }) => message);
  }
}

export interface TestOptions {
  readonly options?: Readonly<Record<string, unknown>>;
  /** Folders for what it writes; temporary ones that `stop()` removes when they are not given. */
  readonly logs?: string;
  readonly confdir?: string;
  readonly limits?: Partial<HostLimits>;
}

/** An addon that lives, and the flows that run through it. */
export class AddonTest {
  readonly log = new MemoryLog();
  readonly paths: { readonly logs: string; readonly confdir: string };
  /** The host that holds it, as the proxy's does. */
  readonly host: Host;
  #options: Readonly<Record<string, unknown>>;
  readonly #temporary: string | undefined;

  constructor({ options = {}, logs, confdir, limits }: TestOptions) {
    this.#options = options;
    this.#temporary = logs === undefined || confdir === undefined ? temporaryFolder() : undefined;
    const folder = this.#temporary ?? '';
    this.paths = { logs: logs ?? path.join(folder, 'logs'), confdir: confdir ?? path.join(folder, 'conf') };
    const all = { hookTimeoutMs: 10_000, lifecycleTimeoutMs: 5_000, drainMs: 1_000, ...limits };
    this.host = new Host({ log: this.log, paths: this.paths, limits: all }, this.sources());
  }

  /** Brings these addons to life: `load`, `configure`, `running`. */
  async begin(addons: readonly NamedAddon[], file = 'addon.ts'): Promise<this> {
    const script = { path: file, files: new Set([file]), required: false, addons };
    this.host.apply([{ script: file, name: 'addon', required: false, instances: await this.host.prepare(script) }]);
    await this.host.start();
    return this;
  }

  /** Runs a flow through all its hooks in their order, and says what arrived at both ends. */
  async run(flow: TestFlow): Promise<Outcome> {
    const pin = this.host.pin();
    try {
      return await new FlowRun(flow, pin).run();
    } finally {
      pin.release();
    }
  }

  /** Runs the `connect` hook. */
  async connect(tunnel: TunnelRequest): Promise<TunnelRequest> {
    const pin = this.host.pin();
    await pin.dispatch('connect', tunnel);
    pin.release();
    return tunnel;
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
  return new AddonTest(options).begin(await readAddons([spec], MODULES), spec.path);
}

function specOf(file: string): ScriptSpec {
  return { path: file, name: nameScripts([file])[0] as string, required: false };
}

function temporaryFolder(): string {
  return mkdtempSync(path.join(os.tmpdir(), 'insight-dump-'));
}

/** One flow's way, as the engine goes it. */
class FlowRun {
  readonly #flow: TestFlow;
  readonly #pin: Pin;
  #sent: Outcome['sent'];

  constructor(flow: TestFlow, pin: Pin) {
    this.#flow = flow;
    this.#pin = pin;
  }

  async run(): Promise<Outcome> {
    const { request } = this.#flow;
    await this.#pin.dispatch('requestHeaders', this.#flow);
    if (this.#flow.killed) return this.#fail(KILLED);
    if (this.#flow.answer === undefined) await this.#arriveRequest();
    if (this.#flow.killed) return this.#fail(KILLED);
    if (this.#flow.answer !== undefined) return this.#answer();
    this.#sent = { method: request.method, url: request.url, ...arrived(request) };
    return this.#respond();
  }

  async #arriveRequest(): Promise<void> {
    const { request } = this.#flow;
    await arrive(request, this.#flow.requestBody, 'request');
    this.#flow.timings.requestEnd = this.#flow.now();
    request.stage = request.wantsBuffer ? 'held' : 'streaming';
    await this.#pin.dispatch('request', this.#flow);
    request.stage = 'sent';
  }

  async #respond(): Promise<Outcome> {
    const flow = this.#flow;
    const { upstream, failure } = flow;
    if (failure !== undefined && upstream === undefined) return this.#fail(failure);
    const { status = 200, headers = {}, body = '' } = upstream ?? {};
    const head = { status, statusText: '', headers: headersOf(headers), httpVersion: '1.1' } as const;
    const response = new HttpResponse(head, BODY_LIMIT_BYTES);
    flow.response = response;
    flow.timings.responseStart = flow.now();
    await this.#pin.dispatch('responseHeaders', flow as AnsweredFlow);
    if (flow.killed) return this.#fail(KILLED);
    if (flow.answer !== undefined) return this.#conclude(this.#takeAnswer());
    await arrive(response, Buffer.from(body), 'response');
    if (failure !== undefined) return this.#fail(failure);
    flow.answerable = response.wantsBuffer;
    response.stage = response.wantsBuffer ? 'held' : 'streaming';
    return this.#conclude(response);
  }

  async #answer(): Promise<Outcome> {
    const response = this.#takeAnswer();
    await this.#pin.dispatch('responseHeaders', this.#flow as AnsweredFlow);
    return this.#conclude(this.#flow.answer === undefined ? response : this.#takeAnswer());
  }

  #takeAnswer(): HttpResponse {
    const flow = this.#flow;
    const response = HttpResponse.from(flow.answer as NonNullable<HttpFlow['answer']>);
    flow.answer = undefined;
    flow.response = response;
    response.stage = 'held';
    return response;
  }

  async #conclude(response: HttpResponse): Promise<Outcome> {
    const flow = this.#flow;
    flow.timings.end = flow.now();
    await this.#pin.dispatch('response', flow as AnsweredFlow);
    const last = flow.answer === undefined ? response : this.#takeAnswer();
    return { sent: this.#sent, received: { status: last.status, ...arrived(last) } };
  }

  async #fail(error: FlowError): Promise<Outcome> {
    this.#flow.error = error;
    this.#flow.timings.end = this.#flow.now();
    await this.#pin.dispatch('error', this.#flow as FailedFlow);
    return { sent: this.#sent, received: undefined };
  }
}

const KILLED: FlowError = { by: 'addon', code: 'KILLED', message: 'an addon killed the flow' };

/** Takes a body through a message's transforms into its copy; holds it where the addon asked for that. */
async function arrive(message: HttpMessage, body: Buffer, kind: 'request' | 'response'): Promise<void> {
  const whole = await collectBody(Readable.from(body.length > 0 ? [body] : []), message, kind, BODY_LIMIT_BYTES);
  if (message.wantsBuffer) message.content = whole;
}

function arrived(message: HttpMessage): Arrived {
  const bytes = message.content ?? message.body.raw();
  return { headers: message.headers, body: bytes.toString(), bytes };
}

// ------------------------------------------------------------------------------------------------------------ on a save

/** A script in a folder of its own that is reloaded when it is saved, as the proxy does. */
export class ScriptTest extends AddonTest {
  readonly file: string;
  readonly #folder = temporaryFolder();
  readonly #loader: Loader;
  readonly #watcher: Watcher;
  #reloads: ((error: unknown) => void)[] = [];

  constructor(options: TestOptions) {
    super(options);
    this.file = path.join(this.#folder, 'script.ts');
    this.#watcher = new Watcher(
      'events',
      (script) => void this.#loader.reload(script),
      () => {},
    );
    this.#loader = new Loader({
      host: this.host,
      watcher: this.#watcher,
      modules: MODULES,
      log: this.log.child(),
      reloaded: (_script, error) => {
        for (const settle of this.#reloads.splice(0)) settle(error);
      },
    });
  }

  /** Writes the script, or a helper beside it. */
  save(text: string, file = 'script.ts'): void {
    writeFileSync(path.join(this.#folder, file), text);
  }

  /** Loads the script for the first time. @throws InsightError when it does not load */
  async load(): Promise<void> {
    await this.#loader.setScripts([specOf(this.file)]);
    await this.host.start();
  }

  /** Resolves when the next save is live. Rejects with the reason when it is not taken. */
  reloaded(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reloads.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  override async stop(): Promise<void> {
    this.#loader.close();
    await this.#watcher.close();
    await super.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Puts a script into a temporary folder and loads it; then `save()` it, and await `reloaded()`. */
export async function tempScript(text: string, options: TestOptions = {}): Promise<ScriptTest> {
  const script = new ScriptTest(options);
  script.save(text);
  try {
    await script.load();
  } catch (error) {
    await script.stop();
    throw error;
  }
  return script;
}

export type { Flow };
