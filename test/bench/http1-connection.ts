import type tls from 'node:tls';
import type { Ask } from './asks.ts';
import { type Connection, type Tally, takeAnswer } from './connection.ts';

/** An exchange that is under way. */
interface Pending {
  readonly ask: Ask;
  readonly onData: ((piece: Buffer) => void) | undefined;
  resolve(): void;
  reject(error: Error): void;
}

/** What comes next. */
type Expected = 'head' | 'body' | 'chunk size' | 'chunk' | 'end of chunk' | 'end of body';

const HEAD_END = '\r\n\r\n';
const LINE_END = '\r\n';

/** HTTP/1.1 with no more than it takes: Node's own client would cost more than many a proxy. */
export class Http1Connection implements Connection {
  readonly #socket: tls.TLSSocket;
  readonly #tally: Tally;
  readonly #heads = new Map<Ask, Buffer>();
  #pending: Pending | undefined;
  /** What has come of a head or a line that is not whole. */
  #rest: Buffer = Buffer.alloc(0);
  #expected: Expected = 'head';
  #status = 0;
  /** What is still to come of the body, or of its chunk. */
  #leftBytes = 0;
  #bodyBytes = 0;

  constructor(socket: tls.TLSSocket, tally: Tally) {
    this.#socket = socket;
    this.#tally = tally;
    socket.on('data', (data) => this.#take(data));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
  }

  exchange(ask: Ask, onData?: (piece: Buffer) => void): Promise<void> {
    if (this.#socket.destroyed) return Promise.reject(new Error('the connection is closed'));
    return new Promise((resolve, reject) => {
      this.#pending = { ask, onData, resolve, reject };
      this.#socket.write(this.#encoded(ask));
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #encoded(ask: Ask): Buffer {
    const known = this.#heads.get(ask);
    if (known !== undefined) return known;
    const lines = Object.entries({ host: ask.host, ...ask.headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = Buffer.from(`POST ${ask.path} HTTP/1.1\r\n${lines.join('')}\r\n`);
    const encoded = Buffer.concat([head, ask.body]);
    this.#heads.set(ask, encoded);
    return encoded;
  }

  #fail(error: Error): void {
    this.#pending?.reject(error);
    this.#pending = undefined;
  }

  #take(data: Buffer): void {
    try {
      let rest: Buffer = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
      for (;;) {
        const used = this.#step(rest);
        if (used === undefined) break;
        rest = rest.subarray(used);
      }
      this.#rest = rest;
    } catch (error) {
      this.#socket.destroy(error as Error);
    }
  }

  /** How much of these bytes was of use; undefined when more have to come first. */
  #step(bytes: Buffer): number | undefined {
    switch (this.#expected) {
      case 'head': {
        const end = bytes.indexOf(HEAD_END);
        if (end < 0) return undefined;
        this.#readHead(bytes.toString('latin1', 0, end));
        return end + HEAD_END.length;
      }
      case 'chunk size': {
        const end = bytes.indexOf(LINE_END);
        if (end < 0) return undefined;
        this.#leftBytes = Number.parseInt(bytes.toString('latin1', 0, end), 16);
        this.#expected = this.#leftBytes === 0 ? 'end of body' : 'chunk';
        return end + LINE_END.length;
      }
      case 'end of chunk':
      case 'end of body': {
        if (bytes.length < LINE_END.length) return undefined;
        if (this.#expected === 'end of chunk') this.#expected = 'chunk size';
        else this.#finish();
        return LINE_END.length;
      }
      default:
        return this.#readBody(bytes);
    }
  }

  #readHead(head: string): void {
    this.#status = Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
    this.#bodyBytes = 0;
    const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
    this.#leftBytes = Number(length ?? 0);
    this.#expected = length === undefined ? 'chunk size' : 'body';
    if (length === undefined && !/\r\ntransfer-encoding: *chunked/i.test(head)) throw new Error(`no length:\n${head}`);
    if (length === '0') this.#finish();
  }

  #readBody(bytes: Buffer): number | undefined {
    if (bytes.length === 0) return undefined;
    const piece = bytes.length <= this.#leftBytes ? bytes : bytes.subarray(0, this.#leftBytes);
    this.#bodyBytes += piece.length;
    this.#leftBytes -= piece.length;
    this.#pending?.onData?.(piece);
    if (this.#leftBytes === 0) {
      if (this.#expected === 'chunk') this.#expected = 'end of chunk';
      else this.#finish();
    }
    return piece.length;
  }

  #finish(): void {
    this.#expected = 'head';
    const pending = this.#pending;
    if (pending === undefined) throw new Error('an answer that nobody asked for');
    takeAnswer(this.#tally, pending.ask, this.#status, this.#bodyBytes);
    this.#pending = undefined;
    pending.resolve();
  }
}
