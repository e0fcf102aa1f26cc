/**
 * The seam to mockttp. This file, `mockttp-server.ts`, which has its server, and `mockttp-parts.ts`, which says what is
 * taken of it, are the only ones that know what it is like inside. mockttp finds out what is spoken in intercepted
 * tunnels, HTTP/1.1 or HTTP/2, and has it spoken; TLS, and everything else, is the engine's.
 *
 * mockttp is pinned to an exact version, and `test/core/engine/mockttp.test.ts` has a test for each of the unwritten
 * things that are used here:
 *
 * 1. `server`: the server that it makes in `start()` is assigned to this field before it is told to listen. Only our
 *    front door may listen, so it never does.
 * 2. `_httpServer` and `_http2Server` of that server: Node's, which it hands sockets on to. To what it has in
 *    `_tlsServer`, it hands on what begins as TLS. It is given no certificate: then, that turns them away, and does
 *    nothing else.
 * 3. `connection` on that server takes a socket at any time, also one that has been read from.
 * 4. `tlsListener` takes a socket whose TLS somebody else has ended, and `secureConnection` on `_tlsServer` tells of it.
 * 5. So does `tlsClientError` of a failure, of which mockttp tells as `tls-client-error`, with the client's address and port.
 * 6. What that server does on `connect`, for HTTP/1 and HTTP/2, is a listener of it.
 * 7. So is what it does on `clientError`.
 * 8. What it does with requests that ask for no other protocol are listeners of Node's servers.
 * 9. `SocketMetadata` of `dist/util/socket-extensions`: what a socket has there, TLS in it has as well; and its tags come
 *    with each upgrade, after a prefix.
 * 10. `LastTunnelAddress`, of the same: where it is set, nothing is made of the `Host` of an upgrade.
 * 11. Its own listeners for upgrades come after those that are put before them, and see what those have changed.
 * 12. A WebSocket step's own `handle` is called instead of its class's, with Node's own request, and its headers in pairs.
 * 13. What is written to a socket that is to be upgraded is tracked by own properties, over those of the class.
 * 14. What it says on the console comes out of a folder of its name. The build keeps it in one.
 * 15. What it exports is in these files. As a whole, it comes with a client, an admin server and GraphQL, which would take
 *     longer to load than all of insight-dump.
 */
import type { IncomingMessage } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type net from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { OngoingRequest, TlsHandshakeFailure } from 'mockttp';
import type { Log } from '../addon.ts';
import { messageOf } from '../errors.ts';
import { type HeaderPair, pairsOf } from '../headers.ts';
import { parseTarget } from './authority.ts';
import type { CertificateAuthority } from './ca.ts';
import { refuse } from './client-answer.ts';
import { BAD_REQUEST } from './client-error.ts';
import type { NodeRequest, NodeResponse } from './head.ts';
import { expectRequest, noticeEnd } from './http2-session.ts';
import { extensions, matchers, serving, webSocketSteps } from './mockttp-parts.ts';
import { adapt, type ComboServer, serverThatNeverListens, takeRequests } from './mockttp-server.ts';
import { endRaw } from './raw-answer.ts';
import { SERVER_LIMITS } from './server-limits.ts';
import { makeTlsServer } from './tls-server.ts';

/** A request out of an intercepted tunnel. */
export interface InterceptedRequest {
  /** What `take()` was given for its tunnel. */
  readonly connection: string;
  readonly scheme: 'http' | 'https';
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly httpVersion: string;
  /** As received; HTTP/2 pseudo-headers included. */
  readonly headers: readonly HeaderPair[];
  /** What came behind the body; ask once it has ended. */
  trailers(): readonly HeaderPair[];
}

export interface InterceptorHandlers {
  request(request: InterceptedRequest, stream: NodeRequest, response: NodeResponse): Promise<void>;
  upgrade(request: InterceptedRequest, socket: net.Socket, head: Buffer): Promise<void>;
}

/** Told when a client breaks off the TLS handshake; `cause` is mockttp's word for it, such as `cert-rejected`. */
export type TlsFailed = (cause: string) => void;

/** mockttp tells of a failed handshake a little after the socket has closed. */
const FAILURE_DELAY_MS = 1_000;

/** mockttp wants to know where a tunnel leads, and believes the request's `Host` otherwise. Nothing is made of it. */
const SOMEWHERE = 'tunnel.invalid';

/** A tunnel that was taken over. */
interface Tunnel {
  readonly tlsFailed: TlsFailed;
  /** Ends it, unless HTTP is spoken in it in time. */
  readonly late: NodeJS.Timeout;
}

/** What Node tells of a client by its socket, and mockttp by that of a failed handshake: all that they are known by. */
interface Peer {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

const peerOf = ({ remoteAddress, remotePort }: Peer): string => `${remoteAddress}:${remotePort}`;

export class Interceptor {
  readonly #server: ComboServer;
  readonly #makeTlsServer: () => Promise<unknown>;
  /** By the client's address. */
  readonly #tunnels = new Map<string, Tunnel>();

  private constructor(server: ComboServer, makeTlsServer: () => Promise<unknown>) {
    this.#server = server;
    this.#makeTlsServer = makeTlsServer;
    server._httpServer.on('connection', (socket: net.Socket) => clearTimeout(this.#tunnels.get(peerOf(socket))?.late));
    server._http2Server.on('session', (session: ServerHttp2Session) => {
      clearTimeout(this.#tunnels.get(peerOf(session.socket))?.late);
      expectRequest(session);
      noticeEnd(session);
    });
  }

  static async start(ca: CertificateAuthority, handlers: InterceptorHandlers, log: Log): Promise<Interceptor> {
    keepConsoleClear(log);
    const proxy = new serving.MockttpServer({
      recordTraffic: false,
      suggestChanges: false,
    });
    const serverOf = serverThatNeverListens(proxy);
    await proxy.start(0);
    const server = serverOf();
    takeRequests(server, (request, response) => {
      serve(request, response, handlers).catch((error) => {
        log.error(`a request cannot be served: ${messageOf(error)}`, error);
        request.destroy();
      });
    });
    const made = adapt(server, () => makeTlsServer(ca));

    const targets = new Targets(server._httpServer);
    const upgradeStep = new webSocketSteps.PassThroughWebSocketStep();
    Object.assign(upgradeStep, {
      handle: async (request: OngoingRequest, socket: net.Socket, head: Buffer) => {
        untrackSocket(socket);
        const path = targets.of(request);
        if (path === undefined) endRaw(socket, BAD_REQUEST);
        else await handlers.upgrade(describeUpgrade(request, path), socket, head);
        return undefined;
      },
    });
    await proxy.setWebSocketRules({ matchers: [new matchers.WildcardMatcher()], steps: [upgradeStep] });
    const interceptor = new Interceptor(server, made);
    // A handshake that fails has not got the tags of its socket yet.
    await proxy.on('tls-client-error', ({ remoteIpAddress, remotePort, failureCause }: TlsHandshakeFailure) => {
      interceptor.#tunnels.get(`${remoteIpAddress}:${remotePort}`)?.tlsFailed(failureCause);
    });
    return interceptor;
  }

  /** Makes what ends TLS, for which the first client in a tunnel would wait otherwise. */
  async warmUp(): Promise<void> {
    await this.#makeTlsServer();
  }

  /**
   * Takes over a tunnel that has been granted to the client.
   *
   * @param connection comes back with each request; it has to be unguessable, since clients can write such tags too
   */
  take(socket: net.Socket, connection: string, tlsFailed: TlsFailed): void {
    socket[extensions.LastTunnelAddress] = SOMEWHERE;
    socket[extensions.SocketMetadata] = { tags: [connection] };
    // A client that sends no more before it has said what it wants is gone.
    socket.allowHalfOpen = false;
    const peer = peerOf(socket);
    const late = setTimeout(() => socket.destroy(), SERVER_LIMITS.headersTimeout);
    const tunnel = { tlsFailed, late };
    this.#tunnels.set(peer, tunnel);
    socket.once('close', () => {
      clearTimeout(late);
      setTimeout(() => {
        if (this.#tunnels.get(peer) === tunnel) this.#tunnels.delete(peer);
      }, FAILURE_DELAY_MS).unref();
    });
    this.#server.emit('connection', socket);
  }
}

/** Has a request served that asks for no other protocol. */
async function serve(request: NodeRequest, response: NodeResponse, handlers: InterceptorHandlers): Promise<void> {
  const path = parseTarget(request.url ?? '', request.method ?? '');
  // What breaks shows where it is read; without a listener it would end the process.
  request.on('error', () => {});
  if (path === undefined) refuse(response, request.method ?? '', BAD_REQUEST);
  else await handlers.request(describeRequest(request, path), request, response);
}

function describeRequest(request: NodeRequest, path: string): InterceptedRequest {
  const socket = 'stream' in request ? request.stream.session?.socket : request.socket;
  return {
    connection: socket?.[extensions.SocketMetadata]?.tags?.[0] ?? '',
    scheme: schemeOf(socket),
    method: request.method ?? '',
    path,
    httpVersion: request.httpVersion,
    headers: pairsOf(request.rawHeaders),
    trailers: () => pairsOf(request.rawTrailers),
  };
}

/** What upgrades ask for, as it was written. */
class Targets {
  readonly #urls = new WeakMap<object, string>();

  /** mockttp parses it, understands neither `*` nor all of the rest, and is told the simplest there is. */
  constructor(server: net.Server) {
    server.prependListener('upgrade', (request: IncomingMessage) => {
      this.#urls.set(request, request.url ?? '');
      request.url = '/';
    });
  }

  of(request: OngoingRequest): string | undefined {
    return parseTarget(this.#urls.get(request) ?? '', request.method);
  }
}

/** mockttp puts this before each tag of a socket. */
const TAG_PREFIX = 'socket-metadata:';

function describeUpgrade(request: OngoingRequest, path: string): InterceptedRequest {
  return {
    connection: request.tags.find((tag) => tag.startsWith(TAG_PREFIX))?.slice(TAG_PREFIX.length) ?? '',
    scheme: schemeOf((request as unknown as IncomingMessage).socket),
    method: request.method,
    path,
    httpVersion: request.httpVersion,
    headers: request.rawHeaders,
    trailers: () => [],
  };
}

/** By the connection: a request in absolute form says what it likes. */
function schemeOf(socket: net.Socket | undefined): InterceptedRequest['scheme'] {
  return (socket as Partial<TLSSocket> | undefined)?.encrypted ? 'https' : 'http';
}

/** Takes mockttp's copying of all that is written off a socket that is about to be upgraded. */
function untrackSocket(socket: net.Socket): void {
  for (const method of ['_write', '_writev']) delete (socket as unknown as Record<string, unknown>)[method];
}

let consoleIsClear = false;

/** mockttp speaks its mind on the console, which belongs to the administrator: what it says goes to the debug log. */
function keepConsoleClear(log: Log): void {
  if (consoleIsClear) return;
  consoleIsClear = true;
  for (const method of ['log', 'warn', 'error'] as const) {
    const say = console[method];
    console[method] = (...words: unknown[]) => {
      const caller = new Error().stack?.split('\n')[2] ?? '';
      if (!/[\\/]mockttp[\\/]/.test(caller)) return say.apply(console, words);
      log.debug(`mockttp: ${words.map((word) => (word instanceof Error ? word.message : String(word))).join(' ')}`);
    };
  }
}
