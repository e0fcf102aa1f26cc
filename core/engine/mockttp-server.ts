import type { EventEmitter } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import http2, { type Http2Server, type Http2ServerResponse } from 'node:http2';
import type net from 'node:net';
import type { TLSSocket, Server as TlsServer } from 'node:tls';
import { refuse } from './client-answer.ts';
import { endClientError } from './client-error.ts';
import { answerOf } from './cut.ts';
import type { NodeRequest, NodeResponse } from './head.ts';
import { FIELD_EXTRA_BYTES } from './http2-session.ts';
import { endRaw } from './raw-answer.ts';
import { SERVER_LIMITS } from './server-limits.ts';

/** mockttp's server: it looks at a socket's first bytes, and hands it on to one of Node's. */
export interface ComboServer extends net.Server {
  /** In the place of a TLS server, which it would have if it had certificates. */
  readonly _tlsServer: EventEmitter;
  readonly _httpServer: Server;
  readonly _http2Server: Http2Server;
  tlsListener(socket: TLSSocket): void;
}

/** Catches the server that mockttp makes, and lets it believe that it listens. Returns a getter for it. */
export function serverThatNeverListens(proxy: object): () => ComboServer {
  let server: ComboServer | undefined;
  Object.defineProperty(proxy, 'server', {
    configurable: true,
    get: () => server,
    set: (made: ComboServer) => {
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

/** What Node has for a request of either version, and for its answer. */
type RequestListener = (request: NodeRequest, response: NodeResponse) => void;

/**
 * Has requests come here, and to nothing of mockttp's. It would look for rules, which there are none of, and for each of
 * them make a URL, an id, and a copy of its headers, and cover a dozen methods of its answer with own ones that copy what
 * is written: that takes as long as all that is done with it here.
 */
export function takeRequests({ _httpServer, _http2Server }: ComboServer, listener: RequestListener): void {
  for (const server of [_httpServer, _http2Server]) {
    for (const event of REQUEST_EVENTS) server.removeAllListeners(event).on(event, listener);
    server.prependListener('checkContinue', (_request: NodeRequest, response: NodeResponse) =>
      response.writeContinue(),
    );
  }
}

const REQUEST_EVENTS = ['request', 'checkContinue', 'checkExpectation'] as const;

/** Makes it a server as we want it, with our own end of TLS. Returns what has that made, unless it has been already. */
export function adapt(server: ComboServer, makeTlsServer: MakeTlsServer): MakeTlsServer {
  speakHttp2(server._http2Server);
  limit(server._httpServer);
  refuseRubbish(server);
  refuseTunnels(server);
  return endTls(server, makeTlsServer);
}

type MakeTlsServer = () => Promise<TlsServer>;

/**
 * Has our server end TLS, which is made for the first that comes. mockttp's would make an RSA key for itself at each
 * start, and keep a certificate for each name for good.
 */
function endTls(server: ComboServer, makeTlsServer: MakeTlsServer): MakeTlsServer {
  const theirs = server._tlsServer;
  const join = (ours: TlsServer) =>
    ours
      .on('secureConnection', (socket) => {
        server.tlsListener(socket);
        theirs.emit('secureConnection', socket);
      })
      .on('tlsClientError', (error, socket) => theirs.emit('tlsClientError', error, socket));
  let joined: Promise<TlsServer> | undefined;
  const made = () => {
    joined ??= makeTlsServer().then(join);
    return joined;
  };
  theirs.removeAllListeners('connection').on('connection', (socket: net.Socket) => {
    made().then(
      (ours) => !socket.destroyed && ours.emit('connection', socket),
      () => socket.destroy(),
    );
  });
  return made;
}

/**
 * Of a request's head that is larger than it was told to take, Node resets the stream, and tells nobody. So it takes more
 * than is served: what is too large for that is refused by an answer.
 */
const MAX_TAKEN_HEAD_BYTES = 2 * SERVER_LIMITS.maxHeaderSize;
/** Of an answer's head. All that servers may send is less in HTTP/2, however many fields it has. */
const MAX_SENT_HEAD_BYTES = 1024 * 1024;

/** Has our server speak HTTP/2 in the place of mockttp's, which takes 128 fields, and sends no more than 64 KiB. */
function speakHttp2(theirs: Http2Server): void {
  const ours = http2.createServer({
    settings: { maxHeaderListSize: MAX_TAKEN_HEAD_BYTES },
    maxHeaderListPairs: MAX_TAKEN_HEAD_BYTES / FIELD_EXTRA_BYTES,
    maxSendHeaderBlockLength: MAX_SENT_HEAD_BYTES,
    // As mockttp has it, where Node has that.
    ...{ strictSingleValueFields: false },
  });
  theirs.removeAllListeners('connection').on('connection', (socket) => ours.emit('connection', socket));
  // What Node's compatibility layer makes of a stream is up to the server that is listened to.
  for (const event of ['session', 'stream', 'sessionError']) {
    ours.on(event, (...told: unknown[]) => theirs.emit(event, ...told));
  }
}

/** Bounds what clients of HTTP/1 may take up. */
function limit(server: Server): void {
  Object.assign(server, SERVER_LIMITS);
  // Node begins to check these when a server listens.
  server.emit('listening');
}

/** mockttp would write its answer to what is no request of HTTP/1 into one that has begun. */
function refuseRubbish(server: ComboServer): void {
  const answersOn = new WeakMap<net.Socket, Set<ServerResponse>>();
  for (const event of REQUEST_EVENTS) {
    server._httpServer.on(event, ({ socket }: IncomingMessage, response: ServerResponse) => {
      const answers = answersOn.get(socket) ?? new Set();
      answersOn.set(socket, answers.add(response));
      response.once('close', () => answers.delete(response));
    });
  }
  server.removeAllListeners('clientError').on('clientError', (error: Error, socket: net.Socket) => {
    endClientError(error, socket, answersOn.get(socket) ?? []);
  });
}

/** mockttp would grant a CONNECT within a tunnel by itself, and look into what comes through. */
function refuseTunnels(server: ComboServer): void {
  server.removeAllListeners('connect');
  server.on('connect', (_request: unknown, other: net.Socket | Http2ServerResponse) => {
    if ('stream' in other) refuse(other, 'CONNECT', TUNNEL_IN_TUNNEL);
    else endRaw(other, TUNNEL_IN_TUNNEL);
  });
}

const TUNNEL_IN_TUNNEL = answerOf({ status: 405, code: 'TUNNEL_IN_TUNNEL', told: 'This is within a tunnel already.' });
