import { IncomingMessage, ServerResponse } from 'node:http';
import type net from 'node:net';
import { Readable } from 'node:stream';
import type { HttpFlow } from '../flow.ts';
import type { FlowObserver } from '../flow-observer.ts';
import { Headers } from '../headers.ts';
import type { Pin } from '../pin.ts';
import { joinSockets } from './blind-tunnel.ts';
import { answerOf } from './cut.ts';
import { Exchange, type ExchangeSettings } from './exchange.ts';
import type { Incoming } from './incoming.ts';
import { endRaw } from './raw-answer.ts';
import type { Switched } from './upstream-request.ts';
import { readsWebSocket, WebSocketRelay } from './websocket.ts';
import { offerDeflateOnly } from './websocket-deflate.ts';

/** A request for another protocol on the same connection (RFC 9110, section 7.8), such as WebSocket. */
export type UpgradeRequest = Omit<Incoming, 'stream' | 'response' | 'switched'>;

/**
 * Takes such a request through an exchange. Once both sides have agreed, what is spoken passes byte by byte; unless it
 * is WebSocket and an addon wants to know what is said.
 *
 * @param head what the client has sent after the request's head
 * @returns when the exchange is over: the WebSocket, if its messages are to be relayed from now on
 */
export async function exchangeUpgrade(
  request: UpgradeRequest,
  socket: net.Socket,
  head: Buffer,
  pin: Pin,
  settings: ExchangeSettings,
): Promise<WebSocketRelay | undefined> {
  socket.on('error', () => {});
  if (head.length > 0) socket.unshift(head);
  const headers = new Headers(request.headers);
  if (headers.has('transfer-encoding')) {
    endRaw(socket, LENGTH_REQUIRED);
    return;
  }
  const isRead = readsWebSocket(request.path, pin.chain) || settings.observers.readsWebSocket(request.path, pin);
  const reads = isWebSocket(headers) && isRead;
  if (reads) offerDeflateOnly(headers);
  const response = responseOn(socket, request.method);
  if (response === undefined) return;
  const forget = noticeEnd(socket);
  let agreed = false;
  let relay: WebSocketRelay | undefined;
  const switched = (flow: HttpFlow, server: Switched, observer: FlowObserver | undefined) => {
    agreed = true;
    forget();
    const told = flow.response?.headers;
    if (reads && told !== undefined && isWebSocket(told))
      relay = new WebSocketRelay({ flow, pin, observer }, { socket, headers: told }, server);
    else join(socket, server.socket);
  };
  const stream = bodyOf(socket, Number(headers.get('content-length') ?? 0));
  const asked = { ...request, headers: [...headers], stream, response };
  await new Exchange(isHttp2(headers) ? asked : { ...asked, switched }, pin, settings).run();
  // An addon may have said 101 by itself, which leads nowhere.
  if (!agreed) socket.destroySoon();
  return relay;
}

const LENGTH_REQUIRED = answerOf({
  status: 411,
  code: 'LENGTH_REQUIRED',
  told: 'A request for an upgrade may have a body of known length only.',
});

function isWebSocket(headers: Headers): boolean {
  return headers.get('upgrade')?.toLowerCase() === 'websocket';
}

/**
 * HTTP/2 in the clear would take all later requests past the hooks. Nobody has to agree to it, and RFC 9113, section
 * 3.1, has dropped it: such a request is taken for one without an upgrade.
 */
function isHttp2(headers: Headers): boolean {
  return headers.get('upgrade')?.toLowerCase() === 'h2c';
}

/**
 * A response on a connection that Node's HTTP server has let go of. After a 101, it lets go of it in its turn. There is
 * none while an earlier response is still on its way: then the connection is closed, since nobody pipelines upgrades.
 */
function responseOn(socket: net.Socket, method: string): ServerResponse | undefined {
  const request = Object.assign(new IncomingMessage(socket), { method, httpVersionMajor: 1, httpVersionMinor: 1 });
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  try {
    response.assignSocket(socket);
  } catch {
    socket.destroy();
    return undefined;
  }
  const onDrain = () => response.emit('drain');
  socket.on('drain', onDrain);
  response.once('finish', () => {
    socket.off('drain', onDrain);
    if (response.statusCode === 101) response.detachSocket(socket);
    else socket.end(() => socket.destroySoon());
  });
  return response;
}

/** As long as nothing is read from a socket, its end goes unnoticed: this looks for it. Returns what stops it. */
function noticeEnd(socket: net.Socket): () => void {
  const onReadable = () => {
    if (socket.readableLength === 0) socket.read(0);
  };
  const onEnd = () => socket.destroy();
  socket.on('readable', onReadable).on('end', onEnd);
  return () => socket.off('readable', onReadable).off('end', onEnd);
}

/** The body that comes before the other protocol is spoken. */
function bodyOf(socket: net.Socket, lengthBytes: number): Readable {
  return Readable.from(lengthBytes === 0 ? [] : take(socket, lengthBytes), { objectMode: false });
}

async function* take(socket: net.Socket, lengthBytes: number): AsyncGenerator<Buffer> {
  let left = lengthBytes;
  while (left > 0) {
    const chunk = socket.read(Math.min(left, socket.readableLength)) as Buffer | null;
    if (chunk === null) await readableOrClosed(socket);
    else {
      left -= chunk.length;
      yield chunk;
    }
    if (socket.destroyed) throw new Error('aborted');
  }
}

function readableOrClosed(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('readable', done).off('close', done);
      resolve();
    };
    socket.on('readable', done).on('close', done);
  });
}

/** Either may have closed before it is joined with the other. */
function join(client: net.Socket, server: net.Socket): void {
  if (client.destroyed || server.destroyed) {
    client.destroy();
    server.destroy();
  } else joinSockets(client, server);
}
