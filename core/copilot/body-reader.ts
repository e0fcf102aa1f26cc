import { Buffer } from 'node:buffer';
import type { Transform } from 'node:stream';
import type { HeaderList } from '../addon.ts';
import { DECODED_LIMIT_BYTES } from '../body.ts';
import { decodeContent, streamDecoder } from '../encoding.ts';
import { parseJson } from './json.ts';
import { EventReader, looksLikeEvents, SNIFF_CHARACTERS, saysEvents } from './sse.ts';

/** So much of a body is kept, in characters; and on the wire, where it can only be decoded as a whole. */
export const KEEP_LIMIT = 8 * 1024 * 1024;
/** What an event costs besides its characters: there can be very many very small ones. */
export const EVENT_OVERHEAD = 32;
/** So far a stream is read for what its last events say, although nothing more of it is kept. */
const STREAM_LIMIT_BYTES = 1024 * 1024 * 1024;

/**
 * Reads a body while it passes: a stream of events, or a JSON value. It keeps what it has read, to a bound. Nothing that
 * goes wrong in it reaches those who push: `end` says it.
 */
export class BodyReader {
  /** There was more than is kept, or than is decoded. */
  truncated = false;
  readonly #contentType: string | undefined;
  readonly #onEvent: ((value: unknown) => void) | undefined;
  readonly #text = new TextDecoder();
  readonly #decoder: Transform | undefined;
  /** Wire bytes that can only be decoded once they are all here. */
  #held: Uint8Array[] | undefined;
  #heldBytes = 0;
  readonly #encoding: string | undefined;
  #decodedBytes = 0;
  #events: EventReader | undefined;
  readonly #kept: unknown[] = [];
  #keptCharacters = 0;
  /** Text before it is known what it is, and all of it where it is no stream. */
  #plain = '';
  #isSettled = false;
  /** Nothing more is read. */
  #isStopped = false;
  #fault: { readonly error: unknown } | undefined;

  /** @param onEvent given the JSON of each event of a stream, as it comes; left out for what cannot be a stream */
  constructor(headers: HeaderList, onEvent?: (value: unknown) => void) {
    this.#contentType = headers.get('content-type');
    this.#encoding = headers.get('content-encoding');
    this.#onEvent = onEvent;
    const coding = this.#encoding?.trim().toLowerCase() || 'identity';
    this.#decoder = streamDecoder(coding);
    this.#decoder?.on('data', (chunk: Buffer) => this.#take(chunk)).on('error', () => {});
    if (this.#decoder === undefined && coding !== 'identity') this.#held = [];
  }

  /** The next bytes on the wire. */
  push(chunk: Uint8Array): void {
    if (this.#isStopped) return;
    if (this.#decoder !== undefined) {
      if (this.#decoder.writableLength > KEEP_LIMIT) this.#stop();
      else this.#decoder.write(chunk);
    } else if (this.#held !== undefined) {
      this.#heldBytes += chunk.length;
      if (this.#heldBytes > KEEP_LIMIT) this.truncated = true;
      else this.#held.push(chunk);
    } else this.#take(chunk);
  }

  /** All is here. Resolves once it has been read. @throws what went wrong in reading it */
  async end(): Promise<void> {
    if (this.#decoder !== undefined) await ended(this.#decoder);
    if (this.#held !== undefined) {
      const { content, whole } = decodeContent(Buffer.concat(this.#held), this.#encoding, DECODED_LIMIT_BYTES);
      this.truncated ||= !whole;
      this.#take(content);
    }
    this.#attempt(() => {
      this.#read(this.#text.decode());
      this.#settle();
      this.#events?.end();
    });
    this.truncated ||= this.#events?.overflowed === true;
    if (this.#fault !== undefined) throw this.#fault.error;
  }

  /** Each event's JSON for a stream; the JSON of anything else, its text where it is none; undefined if it was too much. */
  get content(): unknown {
    if (this.#events !== undefined) return this.#kept;
    return this.truncated ? undefined : parseJson(this.#plain);
  }

  get isStream(): boolean {
    return this.#events !== undefined;
  }

  #take(chunk: Uint8Array): void {
    if (this.#isStopped) return;
    this.#decodedBytes += chunk.length;
    if (this.#decodedBytes > (this.isStream ? STREAM_LIMIT_BYTES : DECODED_LIMIT_BYTES)) this.#stop();
    else this.#attempt(() => this.#read(this.#text.decode(chunk, { stream: true })));
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
    // What it has taken in could still unpack to much.
    this.#decoder?.destroy();
  }

  #read(text: string): void {
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

/** Has a decoder give what is in it, also if its input is cut or wrong. */
function ended(decoder: Transform): Promise<void> {
  return new Promise((resolve) => {
    if (decoder.destroyed) return resolve();
    decoder
      .once('end', resolve)
      .once('close', resolve)
      .once('error', () => resolve());
    decoder.end();
  });
}
