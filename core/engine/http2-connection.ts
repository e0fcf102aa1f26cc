import http2, { constants } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { errors } from '../errors.ts';
import { type Carrier, Http2Request, http2Fields } from './http2-request.ts';
import { FIELD_EXTRA_BYTES, noticeEnd } from './http2-session.ts';
import { MAX_HEAD_BYTES, type RequestHead } from './upstream-request.ts';

/** What all connections keep to. */
export interface Http2Limits {
  /** How long a connection without requests is kept. */
  readonly keepIdleMs: number;
  /** How often a server is asked whether it is still there, while requests are under way. */
  readonly probeIntervalMs: number;
  /** How long it has to answer. */
  readonly probeLimitMs: number;
}

/** After it has been idle for so long, a connection may be gone without a word. */
const DOUBT_AFTER_IDLE_MS = 1_000;
/** What a server may be sending on one stream while its client does not read. */
const STREAM_WINDOW_BYTES = 256 * 1024;
/**
 * The same on all streams together, between one word of ours that it has arrived and the next. Node would let servers
 * send 64 KB, to all users of the connection: with 100 ms to and fro, that is 640 KB a second.
 */
const CONNECTION_WINDOW_BYTES = 16 * 1024 * 1024;
/** Until a server has said how many requests it takes at once. */
const FIRST_MAX_STREAMS = 100;

/** A connection to a server that speaks HTTP/2. */
export class Http2Connection implements Carrier {
  readonly #session: http2.ClientHttp2Session;
  readonly #limits: Http2Limits;
  #streams = 0;
  #maxStreams = FIRST_MAX_STREAMS;
  #isKnown = false;
  #refuses = false;
  /** Undefined before its first request. */
  #idleSinceMs: number | undefined;
  /** Requests that were made after it had been idle, and since when nothing has been heard. */
  readonly #doubtful = new Set<http2.ClientHttp2Stream>();
  #probing: NodeJS.Timeout | undefined;
  #closing: NodeJS.Timeout | undefined;
  readonly #prober: NodeJS.Timeout;
  /** Resolves when the server has said how many requests it takes at once (RFC 9113, section 3.4), or it is gone. */
  readonly known: Promise<void>;

  constructor(socket: TLSSocket, limits: Http2Limits, closed: () => void) {
    this.#limits = limits;
    this.#session = http2.connect('https://server', {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES, maxHeaderListSize: MAX_HEAD_BYTES },
      // Without it, Node takes 128 fields.
      maxHeaderListPairs: MAX_HEAD_BYTES / FIELD_EXTRA_BYTES,
      // In MB, for all of its streams; flow control bounds each.
      maxSessionMemory: 1_000,
    });
    this.known = new Promise((resolve) => {
      this.#session.on('remoteSettings', ({ maxConcurrentStreams }) => {
        this.#maxStreams = maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
        this.#isKnown = true;
        resolve();
      });
      this.#session.once('close', resolve);
    });
    this.#session.once('connect', (session) => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    // What breaks shows on its streams.
    this.#session.on('error', () => {});
    noticeEnd(this.#session);
    this.#prober = setInterval(() => {
      if (this.#streams > 0) this.#probe();
    }, limits.probeIntervalMs).unref();
    this.#session.once('close', () => socket.destroy());
    // Of a session that has lost a write, Node never says that it is closed.
    socket.once('close', () => {
      clearInterval(this.#prober);
      clearTimeout(this.#probing);
      clearTimeout(this.#closing);
      closed();
    });
  }

  /** It takes one more request. */
  get isFree(): boolean {
    return !this.#isOver && this.#streams < this.#maxStreams;
  }

  /** See `known`. */
  get isKnown(): boolean {
    return this.#isKnown || this.#isOver;
  }

  /** It has refused its last request, though that was not one too many. */
  get isRefusing(): boolean {
    return this.#refuses && !this.#isOver;
  }

  /** It is as good as a new one, and how many requests it takes is known. */
  get isGood(): boolean {
    return this.#isKnown && !this.#refuses && this.#doubtful.size === 0 && this.#idleMs <= DOUBT_AFTER_IDLE_MS;
  }

  get #idleMs(): number {
    return this.#streams > 0 || this.#idleSinceMs === undefined ? 0 : performance.now() - this.#idleSinceMs;
  }

  get #isOver(): boolean {
    return this.#session.closed || this.#session.destroyed;
  }

  request(head: RequestHead): Http2Request {
    const idleMs = this.#idleMs;
    const stream = this.#session.request(http2Fields(head), {
      endStream: !head.hasBody,
      waitForTrailers: head.hasBody && !head.headers.has('content-length'),
    });
    if (idleMs > 0 || this.#doubtful.size > 0) this.#doubtful.add(stream);
    if (idleMs > DOUBT_AFTER_IDLE_MS) this.#probe();
    this.#streams += 1;
    clearTimeout(this.#closing);
    stream.once('response', () => {
      this.#doubtful.clear();
      this.#refuses = false;
    });
    stream.once('close', () => {
      if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) this.#refused();
      this.#closed();
    });
    return new Http2Request(stream, this);
  }

  wasStale(stream: http2.ClientHttp2Stream): boolean {
    return this.#isOver && this.#doubtful.has(stream);
  }

  destroy(): void {
    this.#session.destroy();
  }

  /** Before the server had said how many it takes, it may have been one too many. */
  #refused(): void {
    this.#doubtful.clear();
    this.#refuses = this.#streams <= this.#maxStreams;
  }

  #closed(): void {
    this.#streams -= 1;
    if (this.#streams > 0) return;
    this.#idleSinceMs = performance.now();
    // Its streams close after it.
    if (this.#isOver) return;
    this.#closing = setTimeout(() => this.#session.close(), this.#limits.keepIdleMs).unref();
  }

  /** Asks the server whether it is there; if it does not say so, the connection is given up. */
  #probe(): void {
    if (this.#probing !== undefined || this.#isOver) return;
    const { probeLimitMs } = this.#limits;
    this.#probing = setTimeout(() => this.#session.destroy(errors.serverVanished(probeLimitMs)), probeLimitMs).unref();
    this.#session.ping((error) => {
      clearTimeout(this.#probing);
      this.#probing = undefined;
      if (error === null) this.#doubtful.clear();
    });
  }
}
