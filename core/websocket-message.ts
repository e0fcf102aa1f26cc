import { Buffer } from 'node:buffer';
import type { WebSocketMessage } from './addon.ts';

/** A message on a WebSocket as the engine sees it: the addon's view, and what addons decided. */
export class WholeMessage implements WebSocketMessage {
  readonly from: WebSocketMessage['from'];
  readonly isText: boolean;
  dropped = false;
  #content: Uint8Array;

  constructor(from: WebSocketMessage['from'], isText: boolean, content: Uint8Array) {
    this.from = from;
    this.isText = isText;
    this.#content = content;
  }

  get content(): Uint8Array {
    return this.#content;
  }

  set content(value: Uint8Array) {
    if (!(value instanceof Uint8Array)) throw new TypeError(`content has to be a Uint8Array, not a ${typeof value}`);
    this.#content = value;
  }

  get text(): string {
    const { buffer, byteOffset, byteLength } = this.#content;
    return Buffer.from(buffer, byteOffset, byteLength).toString();
  }

  set text(value: string) {
    this.#content = Buffer.from(value);
  }

  drop(): void {
    this.dropped = true;
  }
}
