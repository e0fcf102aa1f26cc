import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { HttpResponse } from '../flow.ts';
import { type HeaderPair, Headers } from '../headers.ts';

/** A request and a response of either version, as Node has them. */
export type NodeRequest = IncomingMessage | Http2ServerRequest;
export type NodeResponse = ServerResponse | Http2ServerResponse;

/** Fields that concern one connection only, and end at a proxy (RFC 9110, section 7.6.1; RFC 9113, section 8.2.2). */
const HOP_BY_HOP = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Takes out the fields that concern this connection only: the well-known ones, and those that `Connection` names. */
export function dropHopByHop(headers: Headers): void {
  headers.filter(isForAll(headers));
}

/** What tells the names, in lower case, of fields that are not of one connection only. */
function isForAll(headers: Headers): (name: string) => boolean {
  const named = headers
    .get('connection')
    ?.split(',')
    .map((name) => name.trim().toLowerCase());
  return (name) => !HOP_BY_HOP.has(name) && named?.includes(name) !== true;
}

/**
 * A request's headers for addons and the upstream. HTTP/2's pseudo-headers become a `Host`, its split cookies one
 * `Cookie` (RFC 9113, sections 8.3.1 and 8.2.3). Credentials for the proxy stay here, and so does `Expect`, which is
 * answered here.
 */
export function requestHeaders(received: readonly HeaderPair[], fallbackHost: string): Headers {
  const headers = new Headers(received);
  const passes = isForAll(headers);
  headers.filter((name) => passes(name) && name[0] !== ':' && name !== 'proxy-authorization' && name !== 'expect');
  if (!headers.has('host')) {
    const authority = received.find(([name]) => name === ':authority')?.[1] ?? fallbackHost;
    return joinCookies(new Headers([['host', authority], ...headers]));
  }
  return joinCookies(headers);
}

/**
 * The headers of a request for another protocol. `Connection`, `Upgrade` and whatever they name are what this is about:
 * all but what concerns the proxy alone is passed on.
 */
export function upgradeHeaders(received: readonly HeaderPair[], fallbackHost: string): Headers {
  const headers = new Headers(received);
  headers.filter((name) => name !== 'proxy-authorization' && name !== 'proxy-connection' && name !== 'expect');
  return headers.has('host') ? headers : new Headers([['host', fallbackHost], ...headers]);
}

function joinCookies(headers: Headers): Headers {
  const cookies = headers.getAll('cookie');
  if (cookies.length > 1) headers.set('cookie', cookies.join('; '));
  return headers;
}

/** Sends a response's head: to HTTP/1 clients with order, case and duplicates as they are. */
export function sendHead(client: NodeResponse, { status, statusText, headers }: HttpResponse): void {
  // HTTP/2's compatibility layer has the same methods, with other types.
  const response = client as ServerResponse;
  response.sendDate = false;
  if (isHttp2(client)) response.writeHead(status, headers.toObject());
  else response.writeHead(status, statusText, headers.toFlat());
}

export function isHttp2(client: NodeResponse): boolean {
  return 'stream' in client;
}

/** True when an answer with that status to that method has no body (RFC 9110, sections 6.4.1 and 9.3.2). */
export function isBodiless(method: string, status: number): boolean {
  return method === 'HEAD' || status === 204 || status === 304 || (status >= 100 && status < 200);
}
