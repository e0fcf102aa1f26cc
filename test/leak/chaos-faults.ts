/** The ways in which servers answer, or fail to: in part the same for both versions of HTTP. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { type Connection, reset } from '../reset.ts';

/** The header of a request that says how it is answered. */
export const FAULT_HEADER = 'x-fault';
/** The header of a request that says how long a body it is answered with. */
export const SIZE_HEADER = 'x-size';

/** What is spoken with a server. */
export type Version = 'h1' | 'h2';

const SHORT_PAUSE_MS = 5;
export const STALL_MS = 200;
const PIECES = 5;
/** RFC 9113, section 6.9.2: what a client may send of a body before it is told to send more. */
const SMALL_WINDOW_BYTES = 10_000;
const DEFAULT_WINDOW_BYTES = 65_535;
/** How many requests a server takes at once, if it is told to take many. */
const MANY_STREAMS = 100;

/** One request, and what it can be answered by. */
export interface Served {
  readonly request: IncomingMessage;
  /** HTTP/2's compatibility layer has the same methods, with other types. */
  readonly response: ServerResponse;
  readonly size: number;
  /** The client's; undefined when it has gone. */
  readonly connection: Connection | undefined;
  /** Whether this very request has been here before. */
  readonly isAgain: boolean;
}

/** The same where HTTP/2 is spoken. */
export interface Http2Served extends Served {
  readonly stream: ServerHttp2Stream;
  readonly session: ServerHttp2Session;
}

type Serve<S = Served> = (served: S) => unknown;
type Faults<S = Served> = Readonly<Record<string, Serve<S>>>;

const body = (size: number) => Buffer.alloc(size, 'x');

async function whole({ request, response, size }: Served): Promise<void> {
  await once(request.resume(), 'end');
  response.writeHead(200, { 'content-length': size });
  response.end(body(size));
}

/** Sends a head, and half of the body that it announces. */
async function half({ response, size }: Served): Promise<void> {
  response.writeHead(200, { 'content-length': size + 1 });
  response.write(body(Math.ceil(size / 2)));
  await sleep(SHORT_PAUSE_MS);
}

/** Writes past Node's HTTP/1, and ends the connection. */
function rawly({ response }: Served, text: string): void {
  response.socket?.end(text);
}

function resetBelow({ connection }: Served): void {
  if (connection !== undefined) reset(connection);
}

/** Waits until some of the request's body is here, or there is none. */
async function begun({ request }: Served): Promise<void> {
  await Promise.race([once(request, 'data'), once(request, 'end')]);
  await turn();
}

/** Answers that are whole, whatever their shape. */
const WHOLE: Faults = {
  whole,
  async inPieces({ request, response, size }) {
    await once(request.resume(), 'end');
    response.writeHead(200);
    for (let i = 0; i < PIECES; i++) {
      response.write(body(Math.floor((size * (i + 1)) / PIECES) - Math.floor((size * i) / PIECES)));
      await sleep(1);
    }
    response.end();
  },
  async withTrailers({ request, response, size }) {
    await once(request.resume(), 'end');
    response.writeHead(200);
    response.write(body(size));
    response.addTrailers({ 'x-after': 'all' });
    response.end();
  },
  afterHints(served) {
    served.response.writeEarlyHints({ link: '</a>; rel=preload' });
    return whole(served);
  },
  async early({ request, response, size }) {
    response.writeHead(200, { 'content-length': size });
    response.end(body(size));
    await sleep(STALL_MS);
    request.resume();
  },
  async unread({ response, size }) {
    response.writeHead(200, { 'content-length': size });
    response.end(body(size));
  },
};

/** Answers that break off, or are none. */
const BROKEN: Faults = {
  resetBeforeHead: resetBelow,
  endBeforeHead: ({ connection }) => connection?.raw.end(),
  async resetMidUpload(served) {
    await begun(served);
    resetBelow(served);
  },
  async resetMidBody(served) {
    await half(served);
    resetBelow(served);
  },
  async endMidBody(served) {
    await half(served);
    served.connection?.raw.end();
  },
  async stall({ connection }) {
    await sleep(STALL_MS);
    connection?.raw.destroy();
  },
  async stallMidBody(served) {
    await half(served);
    await sleep(STALL_MS);
    served.connection?.raw.destroy();
  },
  // What is no TLS.
  rubbishBelow: ({ connection }) => connection?.raw.end('SSH-2.0-OpenSSH\r\n'),
};

const HTTP1_WHOLE: Faults = {
  async earlyAndClosed({ response, size }) {
    response.writeHead(200, { 'content-length': size, connection: 'close' });
    response.end(body(size));
  },
  // More than was announced: the answer is whole, what comes after it must be nobody's.
  tooLong: (served) =>
    rawly(served, `HTTP/1.1 200 OK\r\nContent-Length: ${served.size}\r\n\r\n${body(served.size)}and more`),
  twice(served) {
    const one = `HTTP/1.1 200 OK\r\nContent-Length: ${served.size}\r\n\r\n${body(served.size)}`;
    rawly(served, `${one}${one.replace('200 OK', '200 Stray')}`);
  },
};

const HTTP1_BROKEN: Faults = {
  closeBeforeHead: (served) => rawly(served, ''),
  async closeMidBody(served) {
    await half(served);
    rawly(served, '');
  },
  midHead: (served) => rawly(served, 'HTTP/1.1 200 OK\r\nContent-'),
  garbage: (served) => rawly(served, 'SSH-2.0-OpenSSH\r\n'),
  tooShort: (served) =>
    rawly(served, `HTTP/1.1 200 OK\r\nContent-Length: ${served.size + 10}\r\n\r\n${body(served.size)}`),
  badChunk: (served) => rawly(served, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n'),
};

/** Codes of RST_STREAM and GOAWAY that clients treat differently, or might (RFC 9113, section 7). */
const RESET_CODES = [
  constants.NGHTTP2_NO_ERROR,
  constants.NGHTTP2_PROTOCOL_ERROR,
  constants.NGHTTP2_INTERNAL_ERROR,
  constants.NGHTTP2_REFUSED_STREAM,
  constants.NGHTTP2_CANCEL,
  constants.NGHTTP2_ENHANCE_YOUR_CALM,
  constants.NGHTTP2_HTTP_1_1_REQUIRED,
];

function refusedAtFirst(served: Http2Served): unknown {
  return served.isAgain ? whole(served) : served.stream.close(constants.NGHTTP2_REFUSED_STREAM);
}

const HTTP2_WHOLE: Faults<Http2Served> = {
  goodbye(served) {
    served.session.close();
    return whole(served);
  },
  refusedAtFirst,
  /** Says, too, that it has not taken up those that came after this one. */
  goneAtFirst(served) {
    const { isAgain, session, stream } = served;
    const lastId = (stream.id ?? 0) - 2;
    // That it has taken up none at all, Node cannot say.
    if (isAgain || lastId < 1) return refusedAtFirst(served);
    session.goaway(constants.NGHTTP2_NO_ERROR, lastId);
  },
  fewStreams(served) {
    served.session.settings({ maxConcurrentStreams: 1 });
    return whole(served);
  },
  manyStreams(served) {
    served.session.settings({ maxConcurrentStreams: MANY_STREAMS });
    return whole(served);
  },
  smallWindow(served) {
    served.session.settings({ initialWindowSize: SMALL_WINDOW_BYTES });
    return whole(served);
  },
  largeWindow(served) {
    served.session.settings({ initialWindowSize: DEFAULT_WINDOW_BYTES });
    return whole(served);
  },
  asides(served) {
    served.session.ping(() => {});
    served.session.altsvc('h2=":8000"', 'https://example.org');
    return whole(served);
  },
};

const HTTP2_BROKEN: Faults<Http2Served> = {
  ...Object.fromEntries(
    RESET_CODES.flatMap((code): [string, Serve<Http2Served>][] => [
      [`stream${code}BeforeHead`, ({ stream }) => stream.close(code)],
      [`stream${code}MidUpload`, (served) => begun(served).then(() => served.stream.close(code))],
      [`stream${code}MidBody`, (served) => half(served).then(() => served.stream.close(code))],
    ]),
  ),
  async streamStalls({ stream }) {
    await sleep(STALL_MS);
    stream.close(constants.NGHTTP2_CANCEL);
  },
  async streamStallsMidBody(served) {
    await half(served);
    await sleep(STALL_MS);
    served.stream.close(constants.NGHTTP2_CANCEL);
  },
  streamTooShort({ response, size }) {
    response.writeHead(200, { 'content-length': size + 1 });
    response.end(body(size));
  },
  streamTooLong({ response, size }) {
    response.writeHead(200, { 'content-length': size });
    response.end(body(size + 1));
  },
};

/** The same for all that is on the connection. */
const HTTP2_GONE: Faults<Http2Served> = {
  goneWithError({ session }) {
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    setTimeout(() => session.destroy(), SHORT_PAUSE_MS);
  },
  async goneWithErrorMidBody(served) {
    await half(served);
    served.session.goaway(constants.NGHTTP2_INTERNAL_ERROR);
    setTimeout(() => served.session.destroy(), SHORT_PAUSE_MS);
  },
  sessionEnds: ({ session }) => session.destroy(),
};

/** How servers answer that send frames as they like, whatever they are asked. */
export const FRAMES_FAULT = 'frames';

export const ANSWERS: Readonly<Record<Version, Faults<Http2Served>>> = {
  h1: { ...WHOLE, ...HTTP1_WHOLE, ...BROKEN, ...HTTP1_BROKEN },
  h2: { ...WHOLE, ...HTTP2_WHOLE, ...BROKEN, ...HTTP2_BROKEN, ...HTTP2_GONE },
};

/** Those of servers that speak that version; the good ones are in it more than once. */
export const FAULTS: Readonly<Record<Version, readonly string[]>> = { h1: faultsOf('h1'), h2: faultsOf('h2') };

function faultsOf(version: Version): string[] {
  const all = Object.keys(ANSWERS[version]);
  // A connection of HTTP/2 carries many requests: if each broke it, none would come to an end of its own.
  const onStreams = version === 'h2' ? all.filter((fault) => !(fault in BROKEN || fault in HTTP2_GONE)) : [];
  return [...all, ...onStreams, ...onStreams, ...Array<string>(6).fill('whole'), ...Array<string>(4).fill('inPieces')];
}

/** True when an answer to such a request can come to a proper end. */
export function canBeWhole(fault: string): boolean {
  return [WHOLE, HTTP1_WHOLE, HTTP2_WHOLE].some((faults) => fault in faults);
}
