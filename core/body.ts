import { Buffer } from 'node:buffer';
import type { Body, HeaderList } from './addon.ts';
import { decodeContent } from './encoding.ts';

/** How much of a streamed body is kept for addons to read. */
export const BODY_COPY_LIMIT_BYTES = 8 * 1024 * 1024;
/** How much a kept body may decode to: a small answer must not unpack into all of the memory. */
export const DECODED_LIMIT_BYTES = 64 * 1024 * 1024;

/** A message's body as addons see it: a count of its bytes, and a copy of the first ones. */
export class BodyCopy implements Body {
  size = 0;
  #chunks: Uint8Array[] = [];
  #keptBytes = 0;
  #decoded: { content: Buffer; whole: boolean } | undefined;
  #seen: ((chunk: Uint8Array) => void) | undefined;
  readonly #headers: HeaderList;
  readonly #replace: (content: Buffer) => void;
  limitBytes: number;

  /** `limitBytes` 0 keeps nothing; `replace` is called by `set()`, and throws where the body cannot be set. */
  constructor(headers: HeaderList, limitBytes: number, replace: (content: Buffer) => void) {
    this.#headers = headers;
    this.limitBytes = limitBytes;
    this.#replace = replace;
  }

  /** Shows `seen` each piece that comes from now on. */
  watch(seen: (chunk: Uint8Array) => void): void {
    this.#seen = seen;
  }

  /** The next bytes on the wire. */
  push(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.#seen?.(chunk);
    const room = this.limitBytes - this.#keptBytes;
    if (room <= 0) return;
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#chunks.push(kept);
    this.#keptBytes += kept.length;
    this.#decoded = undefined;
  }

  get truncated(): boolean {
    return this.size > this.#keptBytes || this.#decoded?.whole === false;
  }

  /** The kept bytes as on the wire. */
  raw(): Buffer {
    const joined = this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return Buffer.from(joined.buffer, joined.byteOffset, joined.byteLength);
  }

  bytes(): Buffer {
    this.#decoded ??= decodeContent(this.raw(), this.#headers.get('content-encoding'), DECODED_LIMIT_BYTES);
    return this.#decoded.content;
  }

  text(): string {
    return UTF8.decode(this.bytes());
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  set(content: string | Uint8Array): void {
    this.#replace(typeof content === 'string' ? Buffer.from(content) : Buffer.from(content));
  }

  /** Has these bytes, and all of them, instead of what has come so far. */
  restart(content: Buffer): void {
    this.#chunks = [content];
    this.size = content.length;
    this.#keptBytes = content.length;
    this.#decoded = undefined;
  }
}

/** Drops a byte order mark and puts U+FFFD where bytes are no UTF-8, as the Encoding Standard says. */
const UTF8 = new TextDecoder();
