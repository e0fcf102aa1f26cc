import type { Buffer } from 'node:buffer';
import type net from 'node:net';
import { PerMessageDeflate, Receiver, Sender } from 'ws';
import { codeOf, messageOf } from '../errors.ts';
import type { Switched } from './upstream-request.ts';
import { agreedDeflate } from './websocket-deflate.ts';

/** What comes out of a WebSocket, fragments put together (RFC 6455, section 5). */
export type Frame = DataFrame | PingFrame | CloseFrame;

export interface DataFrame {
  readonly kind: 'message';
  readonly isText: boolean;
  readonly content: Uint8Array;
}

export interface PingFrame {
  readonly kind: 'ping' | 'pong';
  readonly content: Buffer;
}

export interface CloseFrame {
  readonly kind: 'close';
  /** `NO_CODE` when the frame has none. */
  readonly code: number;
  readonly reason: string;
}

/** Messages may be no larger. */
export const MESSAGE_LIMIT_BYTES = 32 * 1024 * 1024;

/** Against messages in endless tiny pieces, each of which costs far more memory than its bytes: as `ws` has it. */
const MAX_FRAGMENTS = 16 * 1024;
const MAX_BUFFERED_CHUNKS = 256 * 1024;

/** Stands for a close frame without a code (RFC 6455, section 7.1.5). */
const NO_CODE = 1005;

/** What one end sent is no WebSocket traffic, or more than is taken. */
export class BadFrames extends Error {
  override readonly name = 'BadFrames';
  constructor(
    /** What to close with (RFC 6455, section 7.4.1). */
    readonly code: number,
    options: ErrorOptions,
  ) {
    super(messageOf(options.cause), options);
  }
}

/** One end of a WebSocket: what it sends is read here, what it is to get is written here. */
export class WebSocketEnd {
  readonly role: 'client' | 'server';
  readonly socket: net.Socket;
  /** It has been sent a close frame: nothing may follow. */
  closed = false;
  /** Resolves when all that it was sent is with its socket. */
  sent: Promise<unknown> = Promise.resolve();
  readonly #deflate: PerMessageDeflate | undefined;
  readonly #sender: Sender;

  constructor(role: WebSocketEnd['role'], { socket, headers }: Switched) {
    this.role = role;
    this.socket = socket;
    this.#deflate = agreedDeflate(headers, role, MESSAGE_LIMIT_BYTES);
    this.#sender = new Sender(socket, this.#extensions);
  }

  get #extensions(): Record<string, PerMessageDeflate> {
    return this.#deflate === undefined ? {} : { [PerMessageDeflate.extensionName]: this.#deflate };
  }

  /**
   * What it sends, read no faster than it is taken. Ends when the stream does; stop taking after a close frame.
   *
   * @throws BadFrames; or the socket's error
   */
  async *frames(): AsyncGenerator<Frame> {
    const frames: Frame[] = [];
    const receiver = new Receiver({
      // Towards the client, the proxy is the server: it wants masked frames (RFC 6455, section 5.1).
      isServer: this.role === 'client',
      maxPayload: MESSAGE_LIMIT_BYTES,
      maxFragments: MAX_FRAGMENTS,
      maxBufferedChunks: MAX_BUFFERED_CHUNKS,
      extensions: this.#extensions,
    });
    receiver.on('message', (content, isBinary) => frames.push({ kind: 'message', isText: !isBinary, content }));
    receiver.on('ping', (content) => frames.push({ kind: 'ping', content }));
    receiver.on('pong', (content) => frames.push({ kind: 'pong', content }));
    receiver.on('conclude', (code, reason) => frames.push({ kind: 'close', code, reason: reason.toString() }));
    receiver.on('error', () => {});
    for await (const chunk of this.socket.iterator({ destroyOnReturn: false })) {
      const error = await new Promise<unknown>((resolve) => receiver.write(chunk, resolve));
      yield* frames.splice(0);
      if (error) throw new BadFrames(closeCodeOf(codeOf(error) ?? ''), { cause: error });
    }
  }

  /** Sends it a frame. Resolves when it can take more, or is gone. */
  async send(frame: Frame): Promise<void> {
    if (this.closed || !this.socket.writable) return;
    const isSent = new Promise<unknown>((resolve) => this.#send(frame, resolve));
    if (this.#deflate !== undefined) {
      // It may have to be compressed before the socket has it.
      this.sent = isSent;
      await isSent;
    }
    if (this.socket.writableNeedDrain) await drained(this.socket);
  }

  #send(frame: Frame, sent: (error?: unknown) => void): void {
    const mask = this.role === 'server';
    const compress = this.#deflate !== undefined;
    switch (frame.kind) {
      case 'message':
        this.#sender.send(frame.content, { binary: !frame.isText, fin: true, mask, compress }, sent);
        break;
      case 'ping':
      case 'pong':
        this.#sender[frame.kind](frame.content, mask, sent);
        break;
      case 'close':
        this.closed = true;
        this.#sender.close(frame.code === NO_CODE ? undefined : frame.code, frame.reason, mask, sent);
    }
  }

  /** Closes its connection behind what it was sent, once all that it sent has been read. */
  finish(): void {
    const { socket } = this;
    const free = () => this.#deflate?.cleanup();
    if (socket.closed) free();
    else socket.once('close', free);
    socket.destroySoon();
  }
}

const PROTOCOL_ERROR = 1002;
const INVALID_DATA = 1007;

/** What `ws` calls an error, and the code to close with, where that is not 1002. */
const CLOSE_CODES: Partial<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: INVALID_DATA,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
};

function closeCodeOf(code: string): number {
  // What does not decompress is as bad as text that is none.
  return CLOSE_CODES[code] ?? (code.startsWith('Z_') ? INVALID_DATA : PROTOCOL_ERROR);
}

function drained(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}

// `ws` exports both; its types do not say so.
declare module 'ws' {
  type Extensions = Readonly<Record<string, PerMessageDeflate>>;
  type Sent = (error?: unknown) => void;

  export class Receiver {
    constructor(options: {
      isServer: boolean;
      maxPayload: number;
      maxFragments: number;
      maxBufferedChunks: number;
      extensions?: Extensions;
    });
    on(event: 'message', listener: (content: Buffer, isBinary: boolean) => void): this;
    on(event: 'ping' | 'pong', listener: (content: Buffer) => void): this;
    on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    write(chunk: Uint8Array, callback: (error: Error | null | undefined) => void): boolean;
  }

  export class Sender {
    constructor(socket: net.Socket, extensions?: Extensions);
    send(
      content: Uint8Array,
      options: { binary: boolean; fin: boolean; mask: boolean; compress: boolean },
      sent?: Sent,
    ): void;
    ping(content: Buffer, mask: boolean, sent?: Sent): void;
    pong(content: Buffer, mask: boolean, sent?: Sent): void;
    close(code: number | undefined, reason: string, mask: boolean, sent?: Sent): void;
  }
}
