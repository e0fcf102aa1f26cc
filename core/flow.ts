import { Buffer } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type {
  Answer,
  ChunkTransform,
  Client,
  Flow,
  FlowError,
  FlowMetadata,
  Message,
  Request,
  Response,
  Timings,
} from './addon.ts';
import { BodyCopy } from './body.ts';
import { errors } from './errors.ts';
import { type HeaderPair, Headers } from './headers.ts';

/** Where a message is on its way: its hook may still choose, its bytes pass, it is held for editing, it is gone. */
export type MessageStage = 'open' | 'streaming' | 'held' | 'sent';

/** What the request and response of a flow share. The engine moves `stage` on; hooks may do what it allows. */
export abstract class HttpMessage implements Message {
  readonly headers: Headers;
  readonly httpVersion: Message['httpVersion'];
  readonly body: BodyCopy;
  readonly transforms: ChunkTransform[] = [];
  stage: MessageStage = 'open';
  /** The whole body, once `buffer()` has brought it here or an addon has set it. */
  content: Buffer | undefined;
  wantsBuffer = false;

  protected abstract readonly kind: 'request' | 'response';

  constructor(headers: Headers, httpVersion: Message['httpVersion'], copyLimitBytes: number) {
    this.headers = headers;
    this.httpVersion = httpVersion;
    this.body = new BodyCopy(headers, copyLimitBytes, (content) => this.replace(content));
  }

  buffer(): void {
    if (this.stage !== 'open') throw errors.tooLateToBuffer(this.kind, `${this.kind}Headers`);
    this.wantsBuffer = true;
  }

  transform(fn: ChunkTransform): void {
    if (this.stage !== 'open') throw errors.tooLateToBuffer(this.kind, `${this.kind}Headers`);
    this.transforms.push(fn);
    // What comes out may be longer or shorter.
    this.headers.delete('content-length');
  }

  /** Has this body, as it is to be on the wire, instead of its own. */
  rewrite(content: Buffer): void {
    this.content = content;
    this.body.restart(content);
    this.headers.delete('transfer-encoding');
    this.headers.set('content-length', String(content.length));
  }

  private replace(content: Buffer): void {
    if (this.stage !== 'held') throw errors.notBuffered(this.kind, `${this.kind}Headers`);
    this.headers.delete('content-encoding');
    this.rewrite(content);
  }
}

/** Where a request goes. */
export interface Target {
  scheme: 'http' | 'https';
  /** Without brackets. */
  host: string;
  port: number;
  /** What to connect to, where that is not `host`: the client asked for this one, and for `host` in TLS only. */
  address?: string;
}

const DEFAULT_PORT = { http: 80, https: 443 } as const;

/** `host:port`, with brackets where IPv6 needs them, without the port where the scheme implies it. */
export function authorityOf({ scheme, host, port }: Target): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return port === DEFAULT_PORT[scheme] ? name : `${name}:${port}`;
}

/** The URL of what is asked for there; a server as a whole, which a path of `*` stands for, has none (RFC 9112, section 3.3). */
export function urlOf(target: Target, path: string): string {
  return `${target.scheme}://${authorityOf(target)}${path === '*' ? '' : path}`;
}

export class HttpRequest extends HttpMessage implements Request {
  protected readonly kind = 'request';
  method: string;
  path: string;
  #target: Target;

  constructor(
    head: { method: string; target: Target; path: string; headers: Headers; httpVersion: Message['httpVersion'] },
    copyLimitBytes: number,
  ) {
    super(head.headers, head.httpVersion, copyLimitBytes);
    this.method = head.method;
    this.path = head.path;
    this.#target = head.target;
  }

  get scheme(): Target['scheme'] {
    return this.#target.scheme;
  }
  get host(): string {
    return this.#target.host;
  }
  get port(): number {
    return this.#target.port;
  }
  get target(): Target {
    return this.#target;
  }

  get url(): string {
    return urlOf(this.#target, this.path);
  }

  set url(value: string) {
    const url = new URL(value);
    const scheme = url.protocol.slice(0, -1);
    if (scheme !== 'http' && scheme !== 'https') throw new TypeError(`not an http or https URL: ${value}`);
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const port = url.port === '' ? DEFAULT_PORT[scheme] : Number(url.port);
    const before = this.#target;
    const isElsewhere = scheme !== before.scheme || host !== before.host || port !== before.port;
    if (isElsewhere) this.#target = { scheme, host, port };
    this.path = url.pathname + url.search;
    this.headers.set('host', authorityOf(this.#target));
  }
}

export class HttpResponse extends HttpMessage implements Response {
  protected readonly kind = 'response';
  status: number;
  statusText: string;

  constructor(
    head: { status: number; statusText: string; headers: Headers; httpVersion: Message['httpVersion'] },
    copyLimitBytes: number,
  ) {
    super(head.headers, head.httpVersion, copyLimitBytes);
    this.status = head.status;
    this.statusText = head.statusText;
  }

  /** A response made here: whole, and open to editing. */
  static from(answer: Answer): HttpResponse {
    const content = Buffer.from(answer.body ?? '');
    const headers = new Headers(Object.entries(answer.headers ?? {}) as HeaderPair[]);
    headers.set('content-length', String(content.length));
    if (content.length > 0 && !headers.has('content-type')) headers.set('content-type', 'text/plain; charset=utf-8');
    const statusText = STATUS_CODES[answer.status] ?? '';
    const response = new HttpResponse(
      { status: answer.status, statusText, headers, httpVersion: '1.1' },
      content.length,
    );
    response.body.push(content);
    response.content = content;
    return response;
  }
}

/** A flow as the engine sees it: the addon's view, and what addons asked for. */
export class HttpFlow implements Flow {
  readonly id = randomUUID();
  readonly metadata: FlowMetadata = {};
  readonly timings: { -readonly [Key in keyof Timings]: Timings[Key] } = { start: Date.now() };
  readonly #startTick = performance.now();
  response: HttpResponse | undefined = undefined;
  error: FlowError | undefined = undefined;
  /** An addon's own answer, not yet taken up by the engine. */
  answer: Answer | undefined;
  /** False once response bytes have gone to the client. */
  answerable = true;
  killed = false;

  constructor(
    readonly client: Client,
    readonly request: HttpRequest,
  ) {}

  respond(answer: Answer): void {
    if (!this.answerable) throw errors.tooLateToRespond();
    this.answer = answer;
  }

  kill(): void {
    this.killed = true;
  }

  /** Now, for `timings`: the time it began plus what has passed since, so that no span is wrong when the clock is set. */
  now(): number {
    return this.timings.start + performance.now() - this.#startTick;
  }
}
