/**
 * The seam to mockttp, and the only file that knows what it is like inside. mockttp terminates the TLS of intercepted
 * tunnels with certificates of our CA, and speaks HTTP/1.1 and HTTP/2 in them; everything else is the engine's.
 *
 * mockttp is pinned to an exact version, and `test/core/engine/mockttp.test.ts` has a test for each of the unwritten
 * things that are used here:
 *
 * 1. `server`: the server that it makes in `start()` is assigned to this field before it is told to listen. Only our
 *    front door may listen, so it never does.
 * 2. `connection` on that server takes a socket at any time, also one that has been read from.
 * 3. The symbols of `dist/util/socket-extensions`: where a socket's tunnel leads, and tags that each request inherits.
 * 4. A step's own `handle` is called instead of its class's.
 * 5. Response methods are tracked by own properties, over those of the class.
 * 6. What that server does on `connect`, for HTTP/1 and HTTP/2, is a listener of it.
 * 7. It tells of each TLS connection by `secureConnection`, and `getParentSocket` of what carries it.
 */
import type { EventEmitter } from 'node:events';
import type { Http2ServerResponse } from 'node:http2';
import type net from 'node:net';
import type { TLSSocket } from 'node:tls';
import mockttp, { type OngoingRequest, type TlsHandshakeFailure } from 'mockttp';
import { LastTunnelAddress, SocketMetadata } from 'mockttp/dist/util/socket-extensions';
import { getParentSocket } from 'mockttp/dist/util/socket-util';
import type { Log } from '../addon.ts';
import { HttpResponse } from '../flow.ts';
import type { HeaderPair } from '../headers.ts';
import type { Authority } from './authority.ts';
import type { CertificateAuthority } from './ca.ts';
import { ClientAnswer } from './client-answer.ts';
import { answerOf } from './cut.ts';
import type { NodeRequest, NodeResponse } from './head.ts';
import { endOnLostWrite } from './lost-writes.ts';
import { endRaw } from './raw-answer.ts';

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
}

export interface InterceptorHandlers {
  request(request: InterceptedRequest, stream: NodeRequest, response: NodeResponse): Promise<void>;
  upgrade(request: InterceptedRequest, socket: net.Socket, head: Buffer): Promise<void>;
}

/** Told when a client breaks off the TLS handshake; `cause` is mockttp's word for it, such as `cert-rejected`. */
export type TlsFailed = (cause: string) => void;

/** mockttp tells of a failed handshake a little after the socket has closed. */
const FAILURE_DELAY_MS = 1_000;

export class Interceptor {
  readonly #server: EventEmitter;
  /** By the client's address: all that mockttp and Node let us know them by. */
  readonly #handshakes: Map<string, TlsFailed>;

  private constructor(server: EventEmitter, handshakes: Map<string, TlsFailed>) {
    this.#server = server;
    this.#handshakes = handshakes;
  }

  static async start(ca: CertificateAuthority, handlers: InterceptorHandlers, log: Log): Promise<Interceptor> {
    keepConsoleClear(log);
    const proxy = mockttp.getLocal({
      https: { key: ca.key, cert: ca.cert },
      http2: true,
      recordTraffic: false,
      suggestChanges: false,
    });
    const server = serverThatNeverListens(proxy);
    await proxy.start(0);

    const requestStep = new mockttp.requestSteps.PassThroughStep();
    Object.assign(requestStep, {
      handle: async (request: OngoingRequest, response: NodeResponse) => {
        untrack(response);
        await handlers.request(describe(request), request as unknown as NodeRequest, response);
        return undefined;
      },
    });
    const upgradeStep = new mockttp.webSocketSteps.PassThroughWebSocketStep();
    Object.assign(upgradeStep, {
      handle: async (request: OngoingRequest, socket: net.Socket, head: Buffer) => {
        untrackSocket(socket);
        await handlers.upgrade(describe(request), socket, head);
        return undefined;
      },
    });
    const always = [new mockttp.matchers.WildcardMatcher()];
    await proxy.setRequestRules({ matchers: always, steps: [requestStep] });
    await proxy.setWebSocketRules({ matchers: always, steps: [upgradeStep] });
    // A handshake that fails has not got the tags of its socket yet: it is known by its address.
    const handshakes = new Map<string, TlsFailed>();
    await proxy.on('tls-client-error', ({ remoteIpAddress, remotePort, failureCause }: TlsHandshakeFailure) => {
      handshakes.get(`${remoteIpAddress}:${remotePort}`)?.(failureCause);
    });
    refuseTunnels(server());
    server().on('secureConnection', (secure: TLSSocket) => endOnLostWrite(secure, getParentSocket(secure)));
    return new Interceptor(server(), handshakes);
  }

  /**
   * Takes over a tunnel that has been granted to the client.
   *
   * @param connection comes back with each request; it has to be unguessable, since clients can write such tags too
   */
  take(socket: net.Socket, { host, port }: Authority, connection: string, tlsFailed: TlsFailed): void {
    socket[LastTunnelAddress] = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    socket[SocketMetadata] = { tags: [connection] };
    // A client that sends no more before it has said what it wants is gone.
    socket.allowHalfOpen = false;
    const address = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#handshakes.set(address, tlsFailed);
    socket.once('close', () => {
      setTimeout(() => {
        if (this.#handshakes.get(address) === tlsFailed) this.#handshakes.delete(address);
      }, FAILURE_DELAY_MS).unref();
    });
    this.#server.emit('connection', socket);
  }
}

/** Catches the server that mockttp makes, and lets it believe that it listens. Returns a getter for it. */
function serverThatNeverListens(proxy: mockttp.Mockttp): () => EventEmitter {
  let server: net.Server | undefined;
  Object.defineProperty(proxy, 'server', {
    configurable: true,
    get: () => server,
    set: (made: net.Server) => {
      server = made;
      made.address = () => ({ address: '', family: '', port: 0 });
      made.listen = () => {
        setImmediate(() => made.emit('listening'));
        return made;
      };
    },
  });
  return () => {
    if (server === undefined) throw new Error('mockttp did not make its server as expected');
    return server;
  };
}

/** mockttp would grant a CONNECT within a tunnel by itself, and look into what comes through. */
function refuseTunnels(server: EventEmitter): void {
  server.removeAllListeners('connect');
  server.on('connect', (_request: unknown, other: net.Socket | Http2ServerResponse) => {
    if ('stream' in other) new ClientAnswer(other, 'CONNECT', () => {}).send(HttpResponse.from(TUNNEL_IN_TUNNEL));
    else endRaw(other, TUNNEL_IN_TUNNEL);
  });
}

const TUNNEL_IN_TUNNEL = answerOf({ status: 405, code: 'TUNNEL_IN_TUNNEL', told: 'This is within a tunnel already.' });

/** mockttp puts this before each tag of a socket. */
const TAG_PREFIX = 'socket-metadata:';

function connectionOf(tags: readonly string[]): string {
  return tags.find((tag) => tag.startsWith(TAG_PREFIX))?.slice(TAG_PREFIX.length) ?? '';
}

function describe(request: OngoingRequest): InterceptedRequest {
  return {
    connection: connectionOf(request.tags),
    // By the connection: a request in absolute form says what it likes.
    scheme: (request as unknown as { socket: Partial<TLSSocket> }).socket.encrypted ? 'https' : 'http',
    method: request.method,
    path: request.path || '/',
    httpVersion: request.httpVersion,
    headers: request.rawHeaders,
  };
}

/** Takes mockttp's copying of all that is written off a response: it would hold whole bodies in memory. */
function untrack(response: NodeResponse): void {
  for (const method of ['writeHead', 'write', 'end', 'addTrailers', 'getHeaders']) {
    delete (response as unknown as Record<string, unknown>)[method];
  }
  // Where it ended early, mockttp asks for `destroyed` and would complain about an answer that never came; HTTP/2
  // responses do not say.
  if (!('destroyed' in response)) {
    const { stream } = response as Http2ServerResponse;
    Object.defineProperty(response, 'destroyed', { get: () => stream.destroyed });
  }
}

/** The same for a socket that is about to be upgraded. */
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
