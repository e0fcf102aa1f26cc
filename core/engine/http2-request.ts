import { STATUS_CODES } from 'node:http';
import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2';
import { type HeaderPair, Headers } from '../headers.ts';
import { Cut } from './cut.ts';
import { dropHopByHop } from './head.ts';
import type { Sink } from './relay.ts';
import type { RequestHead, UpstreamAnswer, UpstreamRequest } from './upstream-request.ts';

/** What a request's stream has to know of the session that it is on. */
export interface Carrier {
  /** The connection is gone, and nothing has been heard on it since the request was made, after it had been idle. */
  wasStale(stream: ClientHttp2Stream): boolean;
}

/** A request's header fields as HTTP/2 sends them (RFC 9113, section 8.3.1). */
export function http2Fields({ method, path, target, headers }: RequestHead): Record<string, string | string[]> {
  const { host, ...fields } = headers.toObject();
  return {
    ':method': method,
    ':scheme': target.scheme,
    ':authority': String(host),
    ':path': path,
    ...fields,
  };
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
    stream.on('wantTrailers', () => stream.sendTrailers(new Headers(this.#trailers).toObject()));
    breakWhereUnfinished(stream);
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
    return new Promise((resolve, reject) => {
      stream.once('response', (...[{ ':status': status }, , raw]: RawHead) => {
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
      stream.once('error', (error) => reject(Cut.upstream(error)));
      stream.once('close', () => reject(Cut.upstream(closedByServer())));
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
 * Breaks a stream that the server resets without an error before it has ended its answer. By Node, that answer would end
 * like one that is whole, and nothing would be told of it before all of the request has been taken, which may never be.
 */
function breakWhereUnfinished(stream: ClientHttp2Stream): void {
  const { push } = stream;
  let isWhole = false;
  stream.push = (chunk, encoding) => {
    if (chunk === null && !stream.closed) isWhole = true;
    const isReset = chunk === null && stream.rstCode === constants.NGHTTP2_NO_ERROR;
    if (!isReset || isWhole || stream.destroyed) return push.call(stream, chunk, encoding);
    // Not at once: Node has not done with it yet (`onStreamClose` in its lib/internal/http2/core.js).
    process.nextTick(() => stream.destroy(closedByServer()));
    return false;
  };
}

const closedByServer = () => new Error('the server closed the stream');

type RawHead = [headers: IncomingHttpHeaders, flags: number, raw: readonly string[]];

function fieldsOf(raw: readonly string[]): HeaderPair[] {
  const headers = Headers.fromFlat(raw);
  headers.filter((name) => !name.startsWith(':'));
  dropHopByHop(headers);
  return [...headers];
}
