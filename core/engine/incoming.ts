import type { Http2ServerRequest } from 'node:http2';
import type { Readable } from 'node:stream';
import type { Client } from '../addon.ts';
import type { HttpFlow, Target } from '../flow.ts';
import type { FlowObserver } from '../flow-observer.ts';
import { type HeaderPair, sameName } from '../headers.ts';
import { Cut } from './cut.ts';
import type { NodeResponse } from './head.ts';
import { SERVER_LIMITS } from './server-limits.ts';
import type { Switched } from './upstream-request.ts';

/** A request as it came from a client, and the streams to read and answer it on. */
export interface Incoming {
  readonly client: Client;
  readonly target: Target;
  readonly method: string;
  readonly path: string;
  readonly httpVersion: string;
  readonly headers: readonly HeaderPair[];
  /** What came behind the body; asked for once it has ended. */
  trailers(): readonly HeaderPair[];
  readonly stream: Readable;
  readonly response: NodeResponse;
  /**
   * Set where the client asks for another protocol on its connection (RFC 9110, section 7.8). Called with the server's
   * connection when both have agreed on it.
   */
  readonly switched?: (flow: HttpFlow, server: Switched, observer: FlowObserver | undefined) => void;
}

/** `MAX_HEADER_PAIRS` in Node's `_http_common`. */
const MAX_FIELDS = 1_000;

/**
 * Node keeps the first thousand fields of a head and drops the rest, what says how long the body is included; of HTTP/2,
 * it is told to take heads that are larger than those that are served, so that they are refused here; and of two hosts,
 * nobody knows which counts (RFC 9112, section 3.2).
 *
 * @throws Cut
 */
export function assertClear(headers: readonly HeaderPair[]): void {
  const sizeBytes = headers.reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (headers.length >= MAX_FIELDS || sizeBytes > SERVER_LIMITS.maxHeaderSize)
    throw Cut.request(431, 'HEAD_TOO_LARGE', 'The request head is too large.');
  const hosts = headers.filter(([name]) => sameName(name, 'host'));
  if (hosts.length > 1) throw Cut.request(400, 'BAD_REQUEST', 'That is no HTTP request.');
}

/** Whether a request carries a body (RFC 9112, section 6; RFC 9113, section 8.1). */
export function hasBody({ stream, headers }: Incoming): boolean {
  if ('stream' in stream) return !(stream as Http2ServerRequest).stream.endAfterHeaders;
  return headers.some(
    ([name, value]) => sameName(name, 'transfer-encoding') || (sameName(name, 'content-length') && value !== '0'),
  );
}
