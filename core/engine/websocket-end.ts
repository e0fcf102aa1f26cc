import type { Buffer } from 'node:buffer';
import type net from 'node:net';
import { Receiver, Sender } from 'ws';
import { codeOf, messageOf } from '../errors.ts';

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
  readonly #sender: Sender;

  constructor(role: WebSocketEnd['role'], socket: net.Socket) {
    this.role = role;
    this.socket = socket;
    this.#sender = new Sender(socket);
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
    });
    receiver.on('message', (content, isBinary) => frames.push({ kind: 'message', isText: !isBinary, content }));
    receiver.on('ping', (content) => frames.push({ kind: 'ping', content }));
    receiver.on('pong', (content) => frames.push({ kind: 'pong', content }));
    receiver.on('conclude', (code, reason) => frames.push({ kind: 'close', code, reason: reason.toString() }));
    receiver.on('error', () => {});
    for await (const chunk of this.socket.iterator({ destroyOnReturn: false })) {
      const error = await new Promise<unknown>((resolve) => receiver.write(chunk, resolve));
      yield* frames.splice(0);
      if (error) throw new BadFrames(CLOSE_CODES[codeOf(error) ?? ''] ?? PROTOCOL_ERROR, { cause: error });
    }
  }

  /** Sends it a frame. Resolves when it can take more, or is gone. */
  async send(frame: Frame): Promise<void> {
    if (this.closed || !this.socket.writable) return;
    const mask = this.role === 'server';
    switch (frame.kind) {
      case 'message':
        this.#sender.send(frame.content, { binary: !frame.isText, fin: true, mask, compress: false });
        break;
      case 'ping':
      case 'pong':
        this.#sender[frame.kind](frame.content, mask);
        break;
      case 'close':
        this.closed = true;
        this.#sender.close(frame.code === NO_CODE ? undefined : frame.code, frame.reason, mask);
    }
    if (this.socket.writableNeedDrain) await drained(this.socket);
  }
}

const PROTOCOL_ERROR = 1002;

/** What `ws` calls an error, and the code to close with, where that is not 1002. */
const CLOSE_CODES: Partial<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
};

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
  export class Receiver {
    constructor(options: { isServer: boolean; maxPayload: number; maxFragments: number; maxBufferedChunks: number });
    on(event: 'message', listener: (content: Buffer, isBinary: boolean) => void): this;
    on(event: 'ping' | 'pong', listener: (content: Buffer) => void): this;
    on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
    write(chunk: Uint8Array, callback: (error: Error | null | undefined) => void): boolean;
  }

  export class Sender {
    constructor(socket: net.Socket);
    send(content: Uint8Array, options: { binary: boolean; fin: boolean; mask: boolean; compress: boolean }): void;
    ping(content: Buffer, mask: boolean): void;
    pong(content: Buffer, mask: boolean): void;
    close(code: number | undefined, reason: string, mask: boolean): void;
  }
}
