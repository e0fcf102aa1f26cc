import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type net from 'node:net';
import type { Client, Log, Tunnel } from '../addon.ts';
import { Chain } from '../chain.ts';
import { authorityOf, type HttpFlow, type Target } from '../flow.ts';
import type { FlowObservers } from '../flow-observer.ts';
import { Headers } from '../headers.ts';
import type { Host } from '../host.ts';
import { Pin } from '../pin.ts';
import { withTimeLimit } from '../time-limit.ts';
import type { TunnelRequest } from '../tunnel.ts';
import type { Authority } from './authority.ts';
import type { CertificateAuthority } from './ca.ts';
import { refuse } from './client-answer.ts';
import { answerOf } from './cut.ts';
import { Dialer, type DialRules } from './dialer.ts';
import { Exchange, type ExchangeSettings } from './exchange.ts';
import { FrontDoor, type PlainRequest } from './front-door.ts';
import { GrantedTunnel, type TunnelHandlers } from './granted-tunnel.ts';
import { type HostPatterns, type HostVerdict, judgeHost } from './hosts.ts';
import type { Incoming } from './incoming.ts';
import { type InterceptedRequest, Interceptor } from './mockttp.ts';
import { Refusals } from './refusals.ts';
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
  readonly observers: FlowObservers;
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
  readonly #refusals = new Refusals();
  #interceptor: Interceptor | undefined;

  /** @throws InsightError `upstreamCaUnreadable` */
  constructor(settings: EngineSettings) {
    this.#settings = settings;
    this.#rules = settings.rules;
    this.#dialer = new Dialer(settings.rules);
    this.#upstream = new Upstream(this.#dialer, settings.rules, settings.upstreamCa);
    this.#frontDoor = new FrontDoor(
      {
        pin: () => settings.host.pin(),
        intercepts: (target, client) => this.#judge(client, [target]) === 'allowed',
        tunnel: (socket, head, tunnel) => this.#tunnel(socket, head, tunnel),
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
    await this.open();
    return this.#frontDoor.listen(host, port);
  }

  /** Gets ready to take connections, without listening. */
  async open(): Promise<void> {
    this.#interceptor ??= await Interceptor.start(
      this.#settings.ca,
      {
        request: (request, stream, response) => this.#intercepted(request, { stream, response }),
        upgrade: (request, socket, head) => this.#interceptedUpgrade(request, socket, head),
      },
      this.#settings.log,
    );
  }

  /** Loads what the start has not waited for, lest the first client does. */
  async warmUp(): Promise<void> {
    await this.#interceptor?.warmUp();
  }

  /** Takes a connection of a client that another process has accepted; nothing has been read from it. */
  take(socket: net.Socket): void {
    this.#frontDoor.take(socket);
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

  #tunnel(socket: net.Socket, head: Buffer, tunnel: TunnelRequest): void {
    const handlers: TunnelHandlers = {
      judge: (names) => this.#judge(tunnel.client, names),
      intercept: () => this.#intercept(socket, tunnel),
    };
    void new GrantedTunnel(socket, tunnel, this.#dialer, handlers, this.#settings.log).open(head);
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
    const { client } = tunnel;
    const target = targetOf(tunnel, request.scheme);
    const { method, path, httpVersion, headers, trailers } = request;
    const { stream, response } = streams;
    const incoming = { client, target, method, path, httpVersion, headers, trailers, stream, response };
    await this.#run(incoming, this.#settings.host.pin());
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
      observers: blind ? NO_OBSERVERS : this.#settings.observers,
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
    const target = targetOf(tunnel, request.scheme);
    await this.#upgrade({ ...request, client: tunnel.client, target }, socket, head, this.#settings.host.pin());
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
    const { client } = tunnel;
    const { ca, log } = this.#settings;
    const host = nameOf(tunnel);
    const who = client.alias ?? `${client.user ?? 'a client'} at ${client.address}`;
    const message = `${who} refused our certificate for ${host} (${cause}): its editor has to trust ${ca.certFile}`;
    const isFirst = this.#refusals.add(client, host, this.#rules.blindAfterRefusalMs);
    if (isFirst) log.warn(message);
    else log.debug(message);
    const pin = this.#settings.host.pin();
    try {
      await pin.dispatch('tlsFailed', tunnel, { cause, message });
    } catch {
      // A required addon failed, which is on the log; the connection is gone anyway.
    } finally {
      pin.release();
    }
  }

  /** By the configured hosts, and by what the client thinks of our certificates. */
  #judge(client: Client, names: readonly Authority[]): HostVerdict {
    if (names.some(({ host }) => this.#refusals.isLeftAlone(client, host))) return 'ignored';
    return judgeHost(this.#rules.hosts, names);
  }
}

/** mockttp loses sight of the tunnel for HTTP/2 in the clear, which is all that should come to this. */
const NO_TUNNEL = answerOf({ status: 400, code: 'NO_TUNNEL', told: 'HTTP/2 without TLS is not spoken in tunnels.' });

/** How long the hooks of exchanges that were cut short may take, all together. */
const CUT_LIMIT_MS = 15_000;

/** For requests that no addon sees. */
const NO_ADDONS = { chain: new Chain(), hookTimeoutMs: 0, fault: () => {} };
const NO_OBSERVERS: FlowObservers = { observe: () => undefined, readsWebSocket: () => false };

/** The name that a tunnel's client wants a certificate for. */
function nameOf({ serverName, host }: Tunnel): string {
  return serverName ?? host;
}

/** Where requests in a tunnel go: to whom the client thinks it speaks, by way of the host that it asked for. */
function targetOf(tunnel: Tunnel, scheme: Target['scheme']): Target {
  const host = nameOf(tunnel);
  return { scheme, host, port: tunnel.port, ...(host !== tunnel.host && { address: tunnel.host }) };
}

function incomingOf({ client, target, path, request }: PlainRequest) {
  const { method = 'GET', rawHeaders } = request;
  const headers = Headers.fromFlat(rawHeaders);
  const wanted = { scheme: 'http', ...target } as const;
  // In absolute form, the target counts, whatever stands there (RFC 9112, section 3.2.2).
  headers.set('Host', authorityOf(wanted));
  const trailers = () => [...Headers.fromFlat(request.rawTrailers)];
  return { client, method, path, target: wanted, headers: [...headers], trailers };
}
