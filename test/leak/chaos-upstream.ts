/** Servers that fail in the way that a request asks for. */
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** The header of a request that says how it is answered. */
export const FAULT_HEADER = 'x-fault';
/** The header of a request that says how long a body it is answered with. */
export const SIZE_HEADER = 'x-size';

const SHORT_PAUSE_MS = 5;
const STALL_MS = 200;
const PIECES = 5;

/** `below` is the connection below TLS: only that can be reset. */
type Serve = (request: IncomingMessage, response: ServerResponse, size: number, below: net.Socket) => unknown;

const body = (size: number) => Buffer.alloc(size, 'x');

/** Sends a head, and half of the body that it announces. */
async function half(response: ServerResponse, size: number): Promise<void> {
  response.writeHead(200, { 'content-length': size + 1 });
  response.write(body(Math.ceil(size / 2)));
  await sleep(SHORT_PAUSE_MS);
}

/** Writes past Node's HTTP, and ends the connection. */
function rawly(response: ServerResponse, text: string): void {
  response.socket?.end(text);
}

/** Answers that are whole, whatever their shape. */
const WHOLE: Record<string, Serve> = {
  async whole(request, response, size) {
    await once(request.resume(), 'end');
    response.writeHead(200, { 'content-length': size });
    response.end(body(size));
  },
  async inPieces(request, response, size) {
    await once(request.resume(), 'end');
    response.writeHead(200);
    for (let i = 0; i < PIECES; i++) {
      response.write(body(Math.floor((size * (i + 1)) / PIECES) - Math.floor((size * i) / PIECES)));
      await sleep(1);
    }
    response.end();
  },
  afterHints(request, response, size, below) {
    response.writeEarlyHints({ link: '</a>; rel=preload' });
    return WHOLE.whole?.(request, response, size, below);
  },
  async early(request, response, size) {
    response.writeHead(200, { 'content-length': size });
    response.end(body(size));
    await sleep(STALL_MS);
    request.resume();
  },
  async earlyAndClosed(_request, response, size) {
    response.writeHead(200, { 'content-length': size, connection: 'close' });
    response.end(body(size));
  },
  async unread(_request, response, size) {
    response.writeHead(200, { 'content-length': size });
    response.end(body(size));
  },
};

/** Answers that break off, or are none. */
const BROKEN: Record<string, Serve> = {
  resetBeforeHead: (_request, _response, _size, below) => below.resetAndDestroy(),
  endBeforeHead: (_request, response) => rawly(response, ''),
  midHead: (_request, response) => rawly(response, 'HTTP/1.1 200 OK\r\nContent-'),
  garbage: (_request, response) => rawly(response, 'SSH-2.0-OpenSSH\r\n'),
  tooShort: (_request, response, size) =>
    rawly(response, `HTTP/1.1 200 OK\r\nContent-Length: ${size + 10}\r\n\r\n${body(size)}`),
  badChunk: (_request, response) =>
    rawly(response, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n'),
  async resetMidUpload(request, _response, _size, below) {
    await Promise.race([once(request, 'data'), once(request, 'end')]);
    below.resetAndDestroy();
  },
  async resetMidBody(_request, response, size, below) {
    await half(response, size);
    below.resetAndDestroy();
  },
  async endMidBody(_request, response, size) {
    await half(response, size);
    response.socket?.end();
  },
  async stall(_request, response) {
    await sleep(STALL_MS);
    response.socket?.destroy();
  },
  async stallMidBody(_request, response, size) {
    await half(response, size);
    await sleep(STALL_MS);
    response.socket?.destroy();
  },
};

/** More than was announced: the answer is whole, what comes after it must be nobody's. */
const OVERFULL: Record<string, Serve> = {
  tooLong: (_request, response, size) =>
    rawly(response, `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${body(size)}and more`),
  twice(_request, response, size) {
    const one = `HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n${body(size)}`;
    rawly(response, `${one}${one.replace('200 OK', '200 Stray')}`);
  },
};

const ALL: Record<string, Serve> = { ...WHOLE, ...BROKEN, ...OVERFULL };

/** Answers of any kind; the good ones are in it more than once. */
export const FAULTS: readonly string[] = [
  ...Object.keys(ALL),
  ...Array<string>(6).fill('whole'),
  ...Array<string>(4).fill('inPieces'),
];

/** True when an answer to such a request can come to a proper end. */
export function canBeWhole(fault: string): boolean {
  return !(fault in BROKEN);
}

/** Serves all faults. `sockets` are the connections that are open, below TLS. */
export function faultyHandler(sockets: () => ReadonlySet<net.Socket>): RequestListener {
  return async (request, response) => {
    for (const stream of [request, response]) stream.on('error', () => {});
    // Both ports: a client may have the same one for two servers.
    const { localPort, remotePort } = request.socket;
    const below = [...sockets()].find((each) => each.localPort === localPort && each.remotePort === remotePort);
    const serve = ALL[String(request.headers[FAULT_HEADER])] as Serve;
    try {
      await serve(request, response, Number(request.headers[SIZE_HEADER]), below as net.Socket);
    } catch {
      // The proxy has gone.
    }
    // As long as a request is not read, the end of its connection does not show.
    request.resume();
  };
}

/** What the first byte tells a blind upstream to do. */
export const BLIND_FAULTS = ['echo', 'reset', 'stall', 'farewell'] as const;

/** Serves tunnels that are not looked into: what comes first is one of `BLIND_FAULTS` and a line feed. */
export async function startBlindUpstream(): Promise<{
  port: number;
  sockets: Set<net.Socket>;
  close(): Promise<void>;
}> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, async (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    socket.once('end', () => socket.end());
    const [first] = (await once(socket, 'data').catch(() => [''])) as [Buffer | ''];
    switch (first.toString().split('\n')[0]) {
      case 'echo':
        socket.write(first);
        return socket.pipe(socket);
      case 'reset':
        return socket.resetAndDestroy();
      case 'farewell':
        socket.resume().end('farewell');
        return;
      default:
        await sleep(STALL_MS);
        socket.destroy();
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
