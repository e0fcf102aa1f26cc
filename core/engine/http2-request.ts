import { STATUS_CODES } from 'node:http';
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { errors } from '../errors.ts';
import { type HeaderPair, Headers } from '../headers.ts';
import { Cut } from './cut.ts';
import { dropHopByHop } from './head.ts';
import type { Sink } from './relay.ts';
import { MAX_HEAD_BYTES, type RequestHead, type UpstreamAnswer, type UpstreamRequest } from './upstream-request.ts';

/** What a request's stream has to know of the session that it is on. */
export interface Carrier {
  /** The connection is gone, and nothing has been heard on it since the request was made, after it had been idle. */
  wasStale(stream: ClientHttp2Stream): boolean;
}

/** A request's header fields as HTTP/2 sends them (RFC 9113, section 8.3.1). */
export function http2Fields({ method, path, target, headers }: RequestHead): Record<string, string | string[]> {
  const fields = headers.toObject();
  const { host } = fields;
  delete fields.host;
  fields[':method'] = method;
  fields[':scheme'] = target.scheme;
  fields[':authority'] = String(host);
  fields[':path'] = path;
  return fields;
}

/** A request over HTTP/2: one stream of a connection that it shares with others. */
export class Http2Request implements UpstreamRequest {
  readonly #stream: ClientHttp2Stream;
  readonly #carrier: Carrier;
  #trailers: readonly HeaderPair[] = [];

  constructor(stream: ClientHttp2Stream, carrier: Carrier) {
    this.#stream = stream;
    this.#carrier = carrier;
    // What breaks shows where it is read; without a listener it would end the process.
    stream.on('error', () => {});
    failWithoutEnd(stream);
    stream.on('wantTrailers', () => stream.sendTrailers(new Headers(this.#trailers).toObject()));
  }

  get sink(): Sink {
    return this.#stream;
  }

  get sent(): boolean {
    return this.#stream.writableFinished;
  }

  onSilence(ms: number, silent: () => void): void {
    const stream = this.#stream;
    stream.setTimeout(ms, silent);
    // Of a stream that ends with its session, Node leaves the timer running, with all that hangs on it: it no longer takes
    // a word from what it has destroyed (`setStreamTimeout` in its lib/internal/stream_base_commons.js).
    stream.once('close', () => stream.setTimeout.call(Object.create(stream, { destroyed: { value: false } }), 0));
  }

  onInterim(told: (status: number, headers: readonly HeaderPair[]) => void): void {
    this.#stream.on('headers', (...[{ ':status': status }, , raw]: RawHead) => told(Number(status), fieldsOf(raw)));
  }

  answer(): Promise<UpstreamAnswer> {
    const stream = this.#stream;
    let trailers: readonly HeaderPair[] = [];
    stream.once('trailers', (...[, , raw]: RawHead) => {
      trailers = fieldsOf(raw);
    });
    let isOver = false;
    return new Promise((resolve, reject) => {
      stream.once('response', (...[{ ':status': status }, , raw]: RawHead) => {
        isOver = true;
        const headers = new Headers(fieldsOf(raw));
        resolve({
          status: Number(status),
          statusText: STATUS_CODES[Number(status)] ?? '',
          headers,
          httpVersion: '2.0',
          body: stream,
          trailers: () => trailers,
        });
      });
      stream.once('error', (error) => {
        isOver = true;
        // Node says the same of a head that it does not take as a server says that has had enough.
        const isCalmed = stream.rstCode === constants.NGHTTP2_ENHANCE_YOUR_CALM;
        reject(Cut.upstream(isCalmed ? errors.enhanceYourCalm(MAX_HEAD_BYTES) : error));
      });
      stream.once('close', () => {
        // Every stream closes, most of them with an answer: errors cost too much to be made for nothing.
        if (!isOver) reject(Cut.upstream(closedByServer()));
      });
    });
  }

  end(rest?: Uint8Array, trailers: readonly HeaderPair[] = []): void {
    this.#trailers = trailers;
    // Without a body, it has been ended with its head.
    if (!this.#stream.writableEnded) this.#stream.end(rest);
  }

  destroy(reason?: Error): void {
    const stream = this.#stream;
    // Destroyed with an error, the server would be told of a fault of ours.
    if (!stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    stream.destroy(reason);
  }

  /** The server has said that it did not take it up (RFC 9113, section 8.7), or was gone before. */
  wasMissed(): boolean {
    return this.#stream.rstCode === constants.NGHTTP2_REFUSED_STREAM || this.#carrier.wasStale(this.#stream);
  }
}

/**
 * Has a stream fail that the server resets without an error before it has ended it, which it may do only once its
 * answer is complete (RFC 9113, section 8.1). To its reader, Node makes a proper end of that; all that tells them apart
 * is that the stream is closed already when that end is pushed.
 */
function failWithoutEnd(stream: ClientHttp2Stream): void {
  const { push } = stream;
  let hasEnded = false;
  stream.push = (chunk, encoding) => {
    if (chunk === null && stream.closed && !hasEnded && !stream.destroyed) {
      // Node is not done with it yet.
      process.nextTick(() => stream.destroy(closedByServer()));
      return false;
    }
    hasEnded ||= chunk === null;
    return push.call(stream, chunk, encoding);
  };
}

function closedByServer(): Error {
  return new Error('the server closed the stream before its answer had ended');
}

type RawHead = [headers: IncomingHttpHeaders, flags: number, raw: readonly string[]];

function fieldsOf(raw: readonly string[]): HeaderPair[] {
  const headers = Headers.fromFlat(raw);
  headers.filter((name) => !name.startsWith(':'));
  dropHopByHop(headers);
  return [...headers];
}
