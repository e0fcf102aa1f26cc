import { Buffer } from 'node:buffer';
import type { Transform } from 'node:stream';
import type { HeaderList } from '../addon.ts';
import { DECODED_LIMIT_BYTES } from '../body.ts';
import { decodeContent, streamDecoder } from '../encoding.ts';
import { parseJson } from './json.ts';
import { EventReader, looksLikeEvents } from './sse.ts';

/** So much of a body is kept, in characters; and on the wire, where it can only be decoded as a whole. */
const KEEP_LIMIT = 8 * 1024 * 1024;
/** By then it is clear whether it is a stream of events. */
const SNIFF_CHARACTERS = 16;

/** Reads a body while it passes: a stream of events, or a JSON value. It keeps what it has read, to a bound. */
export class BodyReader {
  /** There was more than is kept, or than is decoded. */
  truncated = false;
  readonly #contentType: string | undefined;
  readonly #onEvent: (value: unknown) => void;
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

  /** @param onEvent given the JSON of each event of a stream, as it comes */
  constructor(headers: HeaderList, onEvent: (value: unknown) => void = () => {}) {
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
    if (this.#decoder !== undefined) {
      if (this.#decoder.writableLength > KEEP_LIMIT) this.truncated = true;
      else if (!this.truncated) this.#decoder.write(chunk);
    } else if (this.#held !== undefined) {
      this.#heldBytes += chunk.length;
      if (this.#heldBytes > KEEP_LIMIT) this.truncated = true;
      else this.#held.push(chunk);
    } else this.#take(chunk);
  }

  /** All is here. Resolves once it has been read. */
  async end(): Promise<void> {
    if (this.#decoder !== undefined) await ended(this.#decoder);
    if (this.#held !== undefined) {
      const { content, whole } = decodeContent(Buffer.concat(this.#held), this.#encoding, DECODED_LIMIT_BYTES);
      this.truncated ||= !whole;
      this.#take(content);
    }
    this.#read(this.#text.decode());
    this.#settle();
    this.#events?.end();
    this.truncated ||= this.#events?.overflowed === true;
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
    this.#decodedBytes += chunk.length;
    if (this.#decodedBytes > DECODED_LIMIT_BYTES) this.truncated = true;
    else this.#read(this.#text.decode(chunk, { stream: true }));
  }

  #read(text: string): void {
    if (this.#events !== undefined) {
      this.#events.feed(text);
      return;
    }
    if (this.#plain.length + text.length > KEEP_LIMIT) this.truncated = true;
    else this.#plain += text;
    if (this.#plain.length >= SNIFF_CHARACTERS) this.#settle();
  }

  /** Decides what it is, by its beginning. */
  #settle(): void {
    if (this.#events !== undefined || this.#decided) return;
    this.#decided = true;
    if (!looksLikeEvents(this.#contentType, this.#plain)) return;
    this.#events = new EventReader((data) => this.#event(data));
    this.#events.feed(this.#plain);
    this.#plain = '';
  }

  #decided = false;

  #event(data: string): void {
    const value = parseJson(data);
    this.#keptCharacters += data.length;
    if (this.#keptCharacters > KEEP_LIMIT) this.truncated = true;
    else this.#kept.push(value);
    try {
      this.#onEvent(value);
    } catch {
      // Nested so deep that it cannot be read: it is nothing that Copilot has said.
    }
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
