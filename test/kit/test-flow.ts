import type { FlowError, Tunnel } from '../../core/addon.ts';
import { HttpFlow, HttpRequest, HttpResponse } from '../../core/flow.ts';
import { type HeaderPair, Headers } from '../../core/headers.ts';
import { TunnelRequest } from '../../core/tunnel.ts';

export const BODY_LIMIT_BYTES = 32 * 1024 * 1024;

export type HeadersGiven = Readonly<Record<string, string>> | readonly HeaderPair[];

/** A body as a whole; or the chunks that it comes in, which transforms get one by one. */
export type BodyGiven = string | Uint8Array | readonly (string | Uint8Array)[];

/** What a flow is to be; everything has a default. */
export interface FlowParts {
  /** Default `GET`, or `POST` when there is a body. */
  readonly method?: string;
  /** Default `https://api.githubcopilot.com/`. */
  readonly url?: string;
  readonly headers?: HeadersGiven;
  readonly body?: BodyGiven;
  /** Who asks; undefined for nobody. Default `alice`. */
  readonly user?: string | undefined;
  /** The groups that the user is in. Default none. */
  readonly groups?: readonly string[];
  /** IP address of the client. */
  readonly address?: string;
  /** What the upstream answers. */
  readonly response?: {
    readonly status?: number;
    readonly headers?: HeadersGiven;
    readonly body?: BodyGiven;
  };
  /** How the exchange fails, after what `response` says of it has come, if it says anything. */
  readonly error?: FlowError;
}

/** A flow of a test: it knows what the upstream is going to answer. */
export class TestFlow extends HttpFlow {
  readonly upstream: FlowParts['response'];
  readonly failure: FlowError | undefined;
  /** The request body, as it comes. */
  readonly requestChunks: readonly Buffer[];

  constructor(parts: FlowParts = {}) {
    const {
      url = 'https://api.githubcopilot.com/',
      body = '',
      headers = {},
      address = '10.0.0.1',
      groups = [],
    } = parts;
    const chunks = chunksOf(body);
    const { method = chunks.length === 0 ? 'GET' : 'POST' } = parts;
    const user = 'user' in parts ? parts.user : 'alice';
    const head = { method, target: TARGET, path: '/', headers: headersOf(headers), httpVersion: '2.0' } as const;
    super({ id: 'client-1', address, port: 50_000, user, groups }, new HttpRequest(head, BODY_LIMIT_BYTES));
    // Sets the host header too, as a client would.
    this.request.url = url;
    this.upstream = parts.response;
    this.failure = parts.error;
    this.requestChunks = chunks;
  }

  get requestBody(): Buffer {
    return Buffer.concat(this.requestChunks);
  }
}

const TARGET = { scheme: 'https', host: 'api.githubcopilot.com', port: 443 } as const;

/** Makes a flow that has not begun. */
export function makeFlow(parts: FlowParts = {}): TestFlow {
  return new TestFlow(parts);
}

/** The answer by which a WebSocket opens. */
export function switched(): HttpResponse {
  const headers = headersOf({ connection: 'Upgrade', upgrade: 'websocket' });
  return new HttpResponse({ status: 101, statusText: 'Switching Protocols', headers, httpVersion: '1.1' }, 0);
}

/** Makes a tunnel that no addon has seen; `headers` may hold `Proxy-Authorization`. */
export function makeTunnel(
  parts: Partial<Pick<Tunnel, 'kind' | 'host' | 'port' | 'decision'>> & {
    address?: string;
    headers?: HeadersGiven;
  } = {},
): TunnelRequest {
  const { kind = 'connect', host = TARGET.host, port = TARGET.port, decision = 'intercept' } = parts;
  const client = { id: 'client-1', address: parts.address ?? '10.0.0.1', port: 50_000, user: undefined, groups: [] };
  return new TunnelRequest({ kind, client, host, port, decision, headers: headersOf(parts.headers ?? {}) });
}

export function headersOf(given: HeadersGiven): Headers {
  return new Headers(Array.isArray(given) ? given : (Object.entries(given) as HeaderPair[]));
}

/** The chunks of a body; empty ones are none. */
export function chunksOf(body: BodyGiven): Buffer[] {
  const pieces = typeof body === 'string' || body instanceof Uint8Array ? [body] : body;
  return pieces.filter(({ length }) => length > 0).map((piece) => Buffer.from(piece));
}
