import { StringDecoder } from 'node:string_decoder';
import type { HeaderList } from '../addon.ts';
import { DECODED_LIMIT_BYTES } from '../body.ts';
import { StreamDecoder } from '../stream-decoder.ts';
import { parseJson } from './json.ts';
import { EventReader, looksLikeEvents, SNIFF_CHARACTERS, saysEvents } from './sse.ts';

/** So much of a body is kept, in characters. */
export const KEEP_LIMIT = 8 * 1024 * 1024;
/** What an event costs besides its characters: there can be very many very small ones. */
export const EVENT_OVERHEAD = 32;
/** So far a stream is read for what its last events say, although nothing more of it is kept. */
const STREAM_LIMIT_BYTES = 1024 * 1024 * 1024;

/** It says nothing, and no JSON begins with it (RFC 8259, section 8.1). */
const BYTE_ORDER_MARK = '\uFEFF';

/**
 * Reads a body while it passes: a stream of events, or a JSON value. It keeps what it has read, to a bound. Nothing that
 * goes wrong in it reaches those who push: `end` says it.
 */
export class BodyReader {
  /** There was more than is kept, or than is decoded. */
  truncated = false;
  readonly #contentType: string | undefined;
  readonly #onEvent: ((value: unknown) => void) | undefined;
  /** Of pieces, it takes a fraction of the time of a `TextDecoder`, and says the same, but for the mark. */
  readonly #text = new StringDecoder('utf8');
  #hasBegun = false;
  readonly #decoder: StreamDecoder;
  #decodedBytes = 0;
  #events: EventReader | undefined;
  readonly #kept: unknown[] = [];
  #keptCharacters = 0;
  /** Text before it is known what it is, and all of it where it is no stream. */
  #plain = '';
  /** What that is, once somebody has asked. */
  #value: unknown;
  #isSettled = false;
  /** Nothing more is read. */
  #isStopped = false;
  #fault: { readonly error: unknown } | undefined;

  /** @param onEvent given the JSON of each event of a stream, as it comes; left out for what cannot be a stream */
  constructor(headers: HeaderList, onEvent?: (value: unknown) => void) {
    this.#contentType = headers.get('content-type');
    this.#onEvent = onEvent;
    this.#decoder = new StreamDecoder(headers.get('content-encoding'), {
      push: (piece) => this.#take(piece),
      overflow: () => this.#stop(),
    });
  }

  /** The next bytes on the wire. */
  push(chunk: Uint8Array): void {
    if (!this.#isStopped) this.#decoder.push(chunk);
  }

  /** All is here. Resolves once it has been read. @throws what went wrong in reading it */
  async end(): Promise<void> {
    await this.#decoder.end();
    this.#attempt(() => {
      this.#read(this.#text.end());
      this.#settle();
      this.#events?.end();
    });
    this.truncated ||= this.#events?.overflowed === true;
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  /**
   * Each event's JSON for a stream; the JSON of anything else, its text where it is none; undefined if it was too much.
   * Ask once it has ended.
   */
  get content(): unknown {
    if (this.#events !== undefined) return this.#kept;
    if (this.truncated) return undefined;
    this.#value ??= parseJson(this.#plain);
    return this.#value;
  }

  get isStream(): boolean {
    return this.#events !== undefined;
  }

  #take(chunk: Uint8Array): void {
    if (this.#isStopped) return;
    this.#decodedBytes += chunk.length;
    if (this.#decodedBytes > (this.isStream ? STREAM_LIMIT_BYTES : DECODED_LIMIT_BYTES)) this.#stop();
    else this.#attempt(() => this.#read(this.#text.write(chunk as Buffer)));
  }

  #attempt(read: () => void): void {
    try {
      read();
    } catch (error) {
      this.#fault ??= { error };
      this.#stop();
    }
  }

  #stop(): void {
    this.truncated = true;
    this.#isStopped = true;
    this.#decoder.stop();
  }

  #read(piece: string): void {
    if (piece === '') return;
    const text = !this.#hasBegun && piece.startsWith(BYTE_ORDER_MARK) ? piece.slice(1) : piece;
    this.#hasBegun = true;
    if (this.#events !== undefined) {
      this.#events.feed(text);
      return;
    }
    this.#plain += text;
    if (this.#plain.length >= SNIFF_CHARACTERS || saysEvents(this.#contentType)) this.#settle();
    if (this.#plain.length <= KEEP_LIMIT) return;
    this.#plain = '';
    this.#stop();
  }

  /** Decides what it is, by its beginning. */
  #settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    if (this.#onEvent === undefined || !looksLikeEvents(this.#contentType, this.#plain)) return;
    this.#events = new EventReader((data) => this.#event(data));
    this.#events.feed(this.#plain);
    this.#plain = '';
  }

  #event(data: string): void {
    const value = parseJson(data);
    this.#keptCharacters += data.length + EVENT_OVERHEAD;
    if (this.#keptCharacters > KEEP_LIMIT) this.truncated = true;
    else this.#kept.push(value);
    this.#onEvent?.(value);
  }
}
