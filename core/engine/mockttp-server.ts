import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Http2Server, Http2ServerResponse } from 'node:http2';
import type net from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { refuse } from './client-answer.ts';
import { endClientError } from './client-error.ts';
import { answerOf } from './cut.ts';
import type { NodeRequest, NodeResponse } from './head.ts';
import { endRaw } from './raw-answer.ts';
import { SERVER_LIMITS } from './server-limits.ts';

/** mockttp's server: it looks at a socket's first bytes, and hands it on to one of Node's. */
export interface ComboServer extends net.Server {
  readonly _tlsServer: TlsServer;
  readonly _httpServer: Server;
  readonly _http2Server: Http2Server;
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

/** Makes it a server as we want it, with our own end of TLS. */
export function adapt(server: ComboServer, tlsServer: TlsServer): void {
  endTls(server._tlsServer, tlsServer);
  limit(server);
  refuseRubbish(server);
  refuseTunnels(server);
}

/** Has our server end TLS in the place of mockttp's, which keeps a certificate for each name for good. */
function endTls(theirs: TlsServer, ours: TlsServer): void {
  theirs.removeAllListeners('connection').on('connection', (socket) => ours.emit('connection', socket));
  ours.on('secureConnection', (socket) => theirs.emit('secureConnection', socket));
  ours.on('tlsClientError', (error, socket) => theirs.emit('tlsClientError', error, socket));
}

/** Bounds what clients may take up. */
function limit({ _httpServer, _http2Server }: ComboServer): void {
  Object.assign(_httpServer, SERVER_LIMITS);
  // Node begins to check these when a server listens.
  _httpServer.emit('listening');
  _http2Server.updateSettings({ maxHeaderListSize: SERVER_LIMITS.maxHeaderSize });
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
