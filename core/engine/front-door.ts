import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net from 'node:net';
import type { Answer, Client, Log } from '../addon.ts';
import { HttpResponse } from '../flow.ts';
import { Headers } from '../headers.ts';
import type { Pin } from '../pin.ts';
import { TunnelRequest } from '../tunnel.ts';
import { type Authority, parseAbsoluteForm, parseAuthority } from './authority.ts';
import { BAD_REQUEST, endClientError } from './client-error.ts';
import { ClientSocket } from './client-socket.ts';
import { connectionLimit } from './connection-limit.ts';
import { answerOf, Cut, cutOf } from './cut.ts';
import { sendHead } from './head.ts';
import { Listener } from './listener.ts';
import { endRaw, rawAnswer } from './raw-answer.ts';
import { SERVER_LIMITS } from './server-limits.ts';

/** A plain `http://` request that has been granted. */
export interface PlainRequest {
  readonly request: IncomingMessage;
  readonly client: Client;
  readonly target: Authority;
  /** Path and query. */
  readonly path: string;
}

/** What the front door leaves to others. */
export interface FrontDoorHandlers {
  pin(): Pin;
  /** By the configured hosts, before any addon spoke. */
  intercepts(target: Authority, client: Client): boolean;
  /** A tunnel has been granted; the client has not been told yet. `head` is what it has sent in it already. */
  tunnel(socket: net.Socket, head: Buffer, tunnel: TunnelRequest): void;
  /** `blind` ones are passed on without hooks. */
  plain(request: PlainRequest, response: ServerResponse, blind: boolean): void;
  /** The same, with an `Upgrade`. */
  plainUpgrade(request: PlainRequest, socket: net.Socket, head: Buffer, blind: boolean): void;
}

const TELL_CROWDED_EVERY_MS = 60_000;
/** How long a connection may be silent before TCP asks whether the client's machine is still there. */
const TCP_KEEP_ALIVE_MS = 60_000;

/**
 * The only listener. It takes CONNECT and plain `http://` requests, asks the `connect` hooks who it is and what may be
 * done, and hands the connection on.
 */
export class FrontDoor {
  readonly #listener = new Listener(() => this.#makeServer());
  readonly #handlers: FrontDoorHandlers;
  readonly #log: Log;
  /** Those that have been idle longest come first. */
  readonly #connections = new Map<net.Socket, ClientSocket>();
  readonly #limit = connectionLimit();
  #crowdedToldMs = Number.NEGATIVE_INFINITY;

  constructor(handlers: FrontDoorHandlers, log: Log) {
    this.#handlers = handlers;
    this.#log = log;
  }

  /**
   * Listens there, and nowhere else: what it listened on before is closed, and connections that came in by it go on.
   *
   * @throws InsightError `portInUse`, `cannotListen`; it listens where it did before then
   */
  listen(host: string, port: number): Promise<net.AddressInfo> {
    return this.#listener.listen(host, port);
  }

  /** Takes a connection that another process has accepted; nothing has been read from it. */
  take(socket: net.Socket): void {
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, TCP_KEEP_ALIVE_MS);
    this.#listener.server.emit('connection', socket);
  }

  /** Takes no more connections; those that are open go on. */
  stopListening(): void {
    this.#listener.server.close();
  }

  /** Ends what is still open. */
  closeConnections(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #makeServer(): http.Server {
    const server = http.createServer({
      ...SERVER_LIMITS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
      // Node's own answer to that says nothing.
      requireHostHeader: false,
    });
    // Node would begin to read at once; addons may turn a connection away before that.
    const serve = server.listeners('connection') as ((socket: net.Socket) => void)[];
    server.removeAllListeners('connection');
    server.on('connection', async (socket) => {
      await this.#onConnection(socket);
      if (!socket.destroyed) for (const each of serve) each.call(server, socket);
    });
    server.on('connect', (request, socket, head) => void this.#onConnect(request, socket as net.Socket, head));
    for (const event of ['request', 'checkExpectation']) {
      server.on(event, (request: IncomingMessage, response: ServerResponse) => void this.#onRequest(request, response));
    }
    server.on('upgrade', (request, socket, head) => void this.#onUpgrade(request, socket as net.Socket, head));
    server.on('clientError', (error, socket) => {
      endClientError(error, socket as net.Socket, this.#connections.get(socket as net.Socket)?.answers ?? []);
    });
    return server;
  }

  #onConnection(socket: net.Socket): void | Promise<void> {
    // A socket comes here again when its client may try once more after it was denied.
    if (this.#connections.has(socket)) return;
    socket.on('error', () => {});
    // Its client has reset it before it was taken; what came before that would still be read.
    if (socket.remoteAddress === undefined) {
      socket.destroy();
      return;
    }
    const client = new ClientSocket(socket);
    if (this.#connections.size >= this.#limit && !this.#makeRoom()) {
      endRaw(socket, TOO_MANY_CONNECTIONS);
      return;
    }
    this.#connections.set(socket, client);
    const connected = this.#tell('clientConnected', client);
    socket.once('close', async () => {
      this.#connections.delete(socket);
      await connected;
      await this.#tell('clientDisconnected', client);
    });
    return connected;
  }

  /** Closes the connection that has been idle longest. Returns whether there was one. */
  #makeRoom(): boolean {
    if (performance.now() - this.#crowdedToldMs > TELL_CROWDED_EVERY_MS) {
      this.#crowdedToldMs = performance.now();
      this.#log.warn(`${this.#limit} clients are connected, which is the limit: idle ones are closed (see ulimit -n)`);
    }
    for (const [socket, client] of this.#connections) {
      if (client.isTunnel || client.answers.size > 0) continue;
      this.#connections.delete(socket);
      client.close();
      return true;
    }
    return false;
  }

  /** Nothing is under way on it any more: of all idle ones, it is the last. */
  #idle(socket: net.Socket): void {
    const client = this.#connections.get(socket);
    if (client === undefined) return;
    client.isTunnel = false;
    this.#connections.delete(socket);
    this.#connections.set(socket, client);
  }

  /** Makes a tunnel of a connection; not while it owes an answer, which would end up in the tunnel. */
  #beginTunnel(socket: net.Socket): boolean {
    const client = this.#connections.get(socket);
    if (client === undefined) return true;
    client.isTunnel = client.answers.size === 0;
    if (!client.isTunnel) client.close();
    return client.isTunnel;
  }

  /** Runs the hook of a connection. It is closed when a required addon fails. */
  #tell(hook: 'clientConnected' | 'clientDisconnected', client: ClientSocket): void | Promise<void> {
    const pin = this.#handlers.pin();
    try {
      const pending = pin.dispatch(hook, client);
      if (pending !== undefined) return pending.catch(() => client.close()).finally(() => pin.release());
    } catch {
      client.close();
    }
    pin.release();
  }

  async #onConnect(request: IncomingMessage, socket: net.Socket, head: Buffer): Promise<void> {
    const target = parseAuthority(request.url ?? '');
    if (target === undefined) {
      endRaw(socket, BAD_AUTHORITY);
      return;
    }
    if (!this.#beginTunnel(socket)) return;
    const tunnel = await this.#ask('connect', request, socket, target);
    if (socket.destroyed) return;
    if (tunnel.answer !== undefined) this.#deny(request, socket, head, tunnel.answer);
    else this.#handlers.tunnel(socket, head, tunnel);
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const answers = this.#connections.get(socket)?.answers;
    answers?.add(response);
    response.once('close', () => {
      answers?.delete(response);
      this.#idle(socket);
    });
    const hosts = Headers.fromFlat(request.rawHeaders).getAll('host').length;
    // RFC 9112, section 3.2: one, which only HTTP/1.0 may leave out.
    if (hosts > 1 || (hosts === 0 && request.httpVersion === '1.1')) {
      send(request, response, BAD_REQUEST);
      return;
    }
    const wanted = parseAbsoluteForm(request.url ?? '', request.method ?? 'GET');
    if (wanted === undefined) {
      send(request, response, NOT_A_PROXY_REQUEST);
      return;
    }
    const { client, answer, decision } = await this.#ask('http', request, socket, wanted.target);
    if (answer !== undefined) send(request, response, answer);
    else this.#handlers.plain({ request, client, ...wanted }, response, decision === 'passthrough');
  }

  async #onUpgrade(request: IncomingMessage, socket: net.Socket, head: Buffer): Promise<void> {
    const wanted = parseAbsoluteForm(request.url ?? '', request.method ?? 'GET');
    if (wanted === undefined) {
      endRaw(socket, NOT_A_PROXY_REQUEST);
      return;
    }
    if (!this.#beginTunnel(socket)) return;
    const { client, answer, decision } = await this.#ask('http', request, socket, wanted.target);
    if (answer !== undefined) this.#deny(request, socket, head, answer);
    else this.#handlers.plainUpgrade({ request, client, ...wanted }, socket, head, decision === 'passthrough');
  }

  /** Runs the `connect` hooks over a client's wish. What fails there denies it. */
  async #ask(
    kind: 'connect' | 'http',
    request: IncomingMessage,
    socket: net.Socket,
    target: Authority,
  ): Promise<TunnelRequest> {
    const connection = this.#connections.get(socket) ?? new ClientSocket(socket);
    const { id, address, port } = connection;
    // Each wish has a client of its own: on one connection, plain requests may come from several users.
    const client: Client = { id, address, port, user: undefined, groups: [] };
    // Nothing says yet which name a client wants that asks for an address: it would get a certificate of another.
    const isAddress = kind === 'connect' && net.isIP(target.host) !== 0;
    const decision = !isAddress && this.#handlers.intercepts(target, client) ? 'intercept' : 'passthrough';
    const headers = Headers.fromFlat(request.rawHeaders);
    const tunnel = new TunnelRequest({ kind, client, ...target, decision, headers });
    const pin = this.#handlers.pin();
    try {
      const { blockedBy } = pin.chain;
      if (blockedBy !== undefined) throw Cut.blocked(blockedBy);
      await pin.dispatch('connect', tunnel);
    } catch (error) {
      const { status, ...answer } = answerOf(cutOf(error, 'client'));
      tunnel.deny(status, answer);
    } finally {
      pin.release();
    }
    connection.user = client.user;
    connection.groups = client.groups;
    return tunnel;
  }

  /** Denies a tunnel, and lets the client try again on the same connection: curl and browsers do. */
  #deny(request: IncomingMessage, socket: net.Socket, head: Buffer, answer: Answer): void {
    const wantsClose = /\bclose\b/i.test(request.headers.connection ?? '') || request.httpVersion === '1.0';
    // Bytes after a request that was denied were meant for the other end.
    if (wantsClose || head.length > 0) endRaw(socket, answer);
    else {
      socket.write(rawAnswer(answer, 'keep-alive'));
      this.#idle(socket);
      this.#listener.server.emit('connection', socket);
    }
  }
}

const TOO_MANY_CONNECTIONS = answerOf({
  status: 503,
  code: 'TOO_MANY_CONNECTIONS',
  told: 'The proxy has more connections than it can serve.',
});

const BAD_AUTHORITY = answerOf({
  status: 400,
  code: 'BAD_AUTHORITY',
  told: 'CONNECT wants a host and a port, as in CONNECT example.com:443.',
});

const NOT_A_PROXY_REQUEST = answerOf({
  status: 400,
  code: 'NOT_A_PROXY_REQUEST',
  told: 'This is a proxy. Set it as the HTTP proxy of your editor; it has no pages to open.',
});

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  // Left unread, a request body would hold up the connection.
  request.resume();
  const made = HttpResponse.from(answer);
  sendHead(response, made);
  response.end(made.content);
}
