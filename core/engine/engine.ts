import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type net from 'node:net';
import type { Client, Log, Tunnel } from '../addon.ts';
import { Chain } from '../chain.ts';
import { authorityOf, type HttpFlow } from '../flow.ts';
import { Headers } from '../headers.ts';
import type { Host } from '../host.ts';
import { Pin } from '../pin.ts';
import { withTimeLimit } from '../time-limit.ts';
import type { Authority } from './authority.ts';
import type { CertificateAuthority } from './ca.ts';
import { refuse } from './client-answer.ts';
import { answerOf } from './cut.ts';
import { Dialer, type DialRules } from './dialer.ts';
import { Exchange, type ExchangeSettings, type Incoming } from './exchange.ts';
import { FrontDoor, type PlainRequest } from './front-door.ts';
import { type HostPatterns, isIntercepted } from './hosts.ts';
import { type InterceptedRequest, Interceptor } from './mockttp.ts';
import { exchangeUpgrade, type UpgradeRequest } from './upgrade.ts';
import { Upstream, type UpstreamRules } from './upstream.ts';
import type { WebSocketRelay } from './websocket.ts';

/** What may change while it runs. */
export interface EngineRules extends DialRules, UpstreamRules {
  readonly hosts: HostPatterns;
  /** Keep copies of bodies even when no addon reads them. */
  readonly keepBodies: boolean;
  /** How long a server may be silent in an exchange. */
  readonly idleTimeoutMs: number;
  /** How long a client that has refused our certificate for a host gets blind tunnels to it. */
  readonly blindAfterRefusalMs: number;
}

export interface EngineSettings {
  readonly host: Host;
  readonly ca: CertificateAuthority;
  readonly rules: EngineRules;
  /** A PEM file of certificates to trust upstream besides Node's. */
  readonly upstreamCa?: string | undefined;
  readonly log: Log;
  /** Told of each flow once it has ended and its hooks have run. */
  readonly flowEnded: (flow: HttpFlow) => void;
}

/** The proxy without its addons: listens, intercepts, relays, and calls the host's hooks. It knows no addon by name. */
export class Engine {
  #rules: EngineRules;
  readonly #settings: EngineSettings;
  readonly #dialer: Dialer;
  readonly #upstream: Upstream;
  readonly #frontDoor: FrontDoor;
  /** Granted tunnels that are looked into. */
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #exchanges = new Set<Promise<unknown>>();
  /** WebSockets whose messages addons see, and their ends. */
  readonly #webSockets = new Map<WebSocketRelay, Promise<void>>();
  readonly #distrustTold = new Set<string>();
  /** By client and host: until when its tunnels there are blind. */
  readonly #blindUntilMs = new Map<string, number>();
  #interceptor: Interceptor | undefined;

  /** @throws InsightError `upstreamCaUnreadable` */
  constructor(settings: EngineSettings) {
    this.#settings = settings;
    this.#rules = settings.rules;
    this.#dialer = new Dialer(settings.rules);
    this.#upstream = new Upstream(this.#dialer, settings.rules, settings.upstreamCa);
    this.#frontDoor = new FrontDoor(
      this.#dialer,
      {
        pin: () => settings.host.pin(),
        intercepts: (target, client) => isIntercepted(this.#rules.hosts, target) && !this.#isBlindFor(client, target),
        intercept: (socket, tunnel) => this.#intercept(socket, tunnel),
        plain: (request, response, blind) => void this.#plain(request, response, blind),
        plainUpgrade: (request, socket, head, blind) => void this.#plainUpgrade(request, socket, head, blind),
      },
      settings.log,
    );
  }

  set rules(rules: EngineRules) {
    this.#rules = rules;
    this.#dialer.rules = rules;
    this.#upstream.rules = rules;
  }

  /**
   * Listens there, and nowhere else.
   *
   * @throws InsightError `portInUse`, `cannotListen`; it listens where it did before, if it did
   */
  async listen(host: string, port: number): Promise<net.AddressInfo> {
    this.#interceptor ??= await Interceptor.start(
      this.#settings.ca,
      {
        request: (request, stream, response) => this.#intercepted(request, { stream, response }),
        upgrade: (request, socket, head) => this.#interceptedUpgrade(request, socket, head),
      },
      this.#settings.log,
    );
    return this.#frontDoor.listen(host, port);
  }

  /**
   * Takes nothing new, lets what is on its way come to its end for at most `drainMs`, and ends the rest. WebSockets have
   * no end that could be waited for: they are closed after that.
   */
  async close(drainMs: number): Promise<void> {
    this.#frontDoor.stopListening();
    const drained = this.#idle().then(() => this.#closeWebSockets());
    await withTimeLimit(drained, drainMs, () => new Error('still busy')).catch(() => {
      const cut = this.#exchanges.size + this.#webSockets.size;
      this.#settings.log.warn(`${cut} exchanges were cut short after ${drainMs} ms`);
    });
    const closed = this.#closeWebSockets();
    this.#frontDoor.closeConnections();
    // Cut exchanges still have their hooks to run.
    const over = Promise.all([this.#idle(), closed]).then(() => {});
    await withTimeLimit(over, CUT_LIMIT_MS, () => new Error('still busy')).catch(() => {
      this.#settings.log.warn(`${this.#exchanges.size} exchanges did not come to an end`);
    });
    this.#upstream.close();
  }

  async #idle(): Promise<void> {
    while (this.#exchanges.size > 0) await Promise.all(this.#exchanges);
  }

  async #closeWebSockets(): Promise<void> {
    for (const webSocket of this.#webSockets.keys()) webSocket.goAway();
    await Promise.all(this.#webSockets.values());
  }

  #intercept(socket: net.Socket, tunnel: Tunnel): void {
    const id = randomUUID();
    this.#tunnels.set(id, tunnel);
    socket.once('close', () => this.#tunnels.delete(id));
    this.#interceptor?.take(socket, id, (cause) => void this.#tlsFailed(tunnel, cause));
  }

  async #intercepted(request: InterceptedRequest, streams: Pick<Incoming, 'stream' | 'response'>): Promise<void> {
    const tunnel = this.#tunnels.get(request.connection);
    if (tunnel === undefined) {
      refuse(streams.response, request.method, NO_TUNNEL);
      return;
    }
    const { scheme, method, path, httpVersion, headers } = request;
    const { client, host, port } = tunnel;
    const pin = this.#settings.host.pin();
    await this.#run({ client, target: { scheme, host, port }, method, path, httpVersion, headers, ...streams }, pin);
  }

  async #plain(plain: PlainRequest, response: ServerResponse, blind: boolean): Promise<void> {
    const pin = blind ? new Pin(NO_ADDONS) : this.#settings.host.pin();
    const { httpVersion } = plain.request;
    await this.#run({ ...incomingOf(plain), httpVersion, stream: plain.request, response }, pin, blind);
  }

  async #run(incoming: Incoming, pin: Pin, blind = false): Promise<void> {
    const exchange = new Exchange(incoming, pin, this.#exchangeSettings(blind)).run();
    await this.#untilOver(exchange).finally(() => pin.release());
  }

  #exchangeSettings(blind: boolean): ExchangeSettings {
    return {
      upstream: this.#upstream,
      keepBodies: !blind && this.#rules.keepBodies,
      idleTimeoutMs: this.#rules.idleTimeoutMs,
      ended: (flow) => {
        if (!blind) this.#settings.flowEnded(flow);
      },
    };
  }

  /** Counts an exchange as on its way until it is over. */
  async #untilOver<T>(exchange: Promise<T>): Promise<T> {
    this.#exchanges.add(exchange);
    return exchange.finally(() => this.#exchanges.delete(exchange));
  }

  async #interceptedUpgrade(request: InterceptedRequest, socket: net.Socket, head: Buffer): Promise<void> {
    const tunnel = this.#tunnels.get(request.connection);
    if (tunnel === undefined) {
      socket.destroy();
      return;
    }
    const { scheme, method, path, httpVersion, headers } = request;
    const { client, host, port } = tunnel;
    const upgrade = { client, target: { scheme, host, port }, method, path, httpVersion, headers };
    await this.#upgrade(upgrade, socket, head, this.#settings.host.pin());
  }

  async #plainUpgrade(plain: PlainRequest, socket: net.Socket, head: Buffer, blind: boolean): Promise<void> {
    const pin = blind ? new Pin(NO_ADDONS) : this.#settings.host.pin();
    const { httpVersion } = plain.request;
    await this.#upgrade({ ...incomingOf(plain), httpVersion }, socket, head, pin, blind);
  }

  async #upgrade(request: UpgradeRequest, socket: net.Socket, head: Buffer, pin: Pin, blind = false): Promise<void> {
    try {
      const exchange = exchangeUpgrade(request, socket, head, pin, this.#exchangeSettings(blind));
      const webSocket = await this.#untilOver(exchange);
      if (webSocket !== undefined) await this.#relay(webSocket);
    } finally {
      pin.release();
    }
  }

  async #relay(webSocket: WebSocketRelay): Promise<void> {
    const run = webSocket.run();
    this.#webSockets.set(webSocket, run);
    await run.finally(() => this.#webSockets.delete(webSocket));
  }

  async #tlsFailed(tunnel: Tunnel, cause: string): Promise<void> {
    const { client, host } = tunnel;
    const message = `${client.user ?? 'a client'} at ${client.address} refused our certificate for ${host} (${cause}): its editor has to trust ${this.#settings.ca.certFile}`;
    this.#tellDistrust(`${client.user} ${client.address} ${host}`, message);
    const { blindAfterRefusalMs } = this.#rules;
    if (this.#blindUntilMs.size > MAX_REMEMBERED) this.#blindUntilMs.clear();
    this.#blindUntilMs.set(`${client.address} ${host}`, performance.now() + blindAfterRefusalMs);
    const pin = this.#settings.host.pin();
    try {
      await pin.dispatch('tlsFailed', tunnel, { cause, message });
    } catch {
      // A required addon failed, which is on the log; the connection is gone anyway.
    } finally {
      pin.release();
    }
  }

  /** A client that has refused our certificate a while ago, and may be left alone with it. */
  #isBlindFor({ address }: Client, { host }: Authority): boolean {
    const untilMs = this.#blindUntilMs.get(`${address} ${host}`);
    return untilMs !== undefined && performance.now() < untilMs;
  }

  /** Clients that do not trust the CA try again and again: one line for each of them and host is enough. */
  #tellDistrust(key: string, message: string): void {
    const { log } = this.#settings;
    if (this.#distrustTold.size > MAX_REMEMBERED) this.#distrustTold.clear();
    if (this.#distrustTold.has(key)) log.debug(message);
    else log.warn(message);
    this.#distrustTold.add(key);
  }
}

/** mockttp loses sight of the tunnel for HTTP/2 in the clear, which is all that should come to this. */
const NO_TUNNEL = answerOf({ status: 400, code: 'NO_TUNNEL', told: 'HTTP/2 without TLS is not spoken in tunnels.' });

const MAX_REMEMBERED = 1_000;

/** How long the hooks of exchanges that were cut short may take, all together. */
const CUT_LIMIT_MS = 15_000;

/** For requests that no addon sees. */
const NO_ADDONS = { chain: new Chain(), hookTimeoutMs: 0, fault: () => {} };

function incomingOf({ client, target, path, request }: PlainRequest) {
  const { method = 'GET', rawHeaders } = request;
  const headers = Headers.fromFlat(rawHeaders);
  const wanted = { scheme: 'http', ...target } as const;
  // In absolute form, the target counts, whatever stands there (RFC 9112, section 3.2.2).
  headers.set('Host', authorityOf(wanted));
  return { client, method, path, target: wanted, headers: [...headers] };
}
