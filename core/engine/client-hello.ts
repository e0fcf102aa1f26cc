import { Buffer } from 'node:buffer';
import net from 'node:net';

/** What the first bytes of a connection are. */
export interface Hello {
  /** The start of a TLS ClientHello; all of it; or something else. */
  readonly kind: 'unfinished' | 'hello' | 'other';
  /** Its SNI, in lower case and without a trailing dot; undefined where there is none, or it is no host name. */
  readonly serverName: string | undefined;
}

// RFC 8446, section 5.1: a record is its type, a version that begins with 3, a length, and so many bytes.
const RECORD_HEAD_BYTES = 5;
const HANDSHAKE_RECORD = 22;
const MAJOR_VERSION = 3;
const MAX_RECORD_BYTES = 2 ** 14;

// RFC 8446, section 4: a handshake message is its type, a length, and so many bytes.
const MESSAGE_HEAD_BYTES = 4;
const CLIENT_HELLO = 1;

// RFC 8446, section 4.1.2: what a ClientHello begins with.
const VERSION_AND_RANDOM_BYTES = 2 + 32;

// RFC 6066, section 3.
const SERVER_NAME_EXTENSION = 0;
const HOST_NAME = 0;

/** Reads the ClientHello that a connection begins with. Takes any bytes, and never throws. */
export function readClientHello(bytes: Buffer): Hello {
  const message = firstMessage(bytes);
  if (typeof message === 'string') return { kind: message, serverName: undefined };
  try {
    return { kind: 'hello', serverName: hostNameOf(serverNameOf(new Fields(message))) };
  } catch {
    return { kind: 'other', serverName: undefined };
  }
}

/** The first handshake message, without its head, out of as many records as it comes in. */
function firstMessage(bytes: Buffer): Buffer | 'unfinished' | 'other' {
  let message: Buffer = Buffer.alloc(0);
  for (let at = 0; ; ) {
    const head = bytes.subarray(at, at + RECORD_HEAD_BYTES);
    if (!beginsLike(head, [HANDSHAKE_RECORD, MAJOR_VERSION])) return 'other';
    if (head.length < RECORD_HEAD_BYTES) return 'unfinished';
    const length = head.readUInt16BE(3);
    if (length === 0 || length > MAX_RECORD_BYTES) return 'other';
    at += RECORD_HEAD_BYTES;
    message = Buffer.concat([message, bytes.subarray(at, at + length)]);
    at += length;
    if (!beginsLike(message, [CLIENT_HELLO])) return 'other';
    if (message.length < MESSAGE_HEAD_BYTES) continue;
    const end = MESSAGE_HEAD_BYTES + message.readUIntBE(1, 3);
    if (message.length >= end) return message.subarray(MESSAGE_HEAD_BYTES, end);
  }
}

/** True as long as nothing is otherwise. */
function beginsLike(bytes: Buffer, start: readonly number[]): boolean {
  return start.every((byte, i) => i >= bytes.length || bytes[i] === byte);
}

/** @throws RangeError when it ends too early */
function serverNameOf(hello: Fields): Buffer | undefined {
  hello.take(VERSION_AND_RANDOM_BYTES);
  // Session id, cipher suites, compression methods.
  for (const lengthBytes of [1, 2, 1]) hello.vector(lengthBytes);
  // Before TLS 1.3, they may be left out.
  if (hello.isOver) return undefined;
  const extensions = new Fields(hello.vector(2));
  while (!extensions.isOver) {
    const type = extensions.number(2);
    const content = extensions.vector(2);
    if (type !== SERVER_NAME_EXTENSION) continue;
    const name = new Fields(new Fields(content).vector(2));
    return name.number(1) === HOST_NAME ? name.vector(2) : undefined;
  }
  return undefined;
}

/** RFC 6066, section 3: ASCII, and no address. Some clients send a trailing dot all the same. */
function hostNameOf(name: Buffer | undefined): string | undefined {
  const text = name?.toString('latin1').toLowerCase().replace(/\.$/, '') ?? '';
  return HOST_NAME_FORM.test(text) && text.length <= MAX_NAME_LENGTH && net.isIP(text) === 0 ? text : undefined;
}

const HOST_NAME_FORM = /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;
/** RFC 1035, section 2.3.4, as text. */
const MAX_NAME_LENGTH = 253;

/** Fields one after another. Reading one that is not there throws a RangeError. */
class Fields {
  #rest: Buffer;

  constructor(bytes: Buffer) {
    this.#rest = bytes;
  }

  get isOver(): boolean {
    return this.#rest.length === 0;
  }

  take(count: number): Buffer {
    if (count > this.#rest.length) throw new RangeError(`${count} bytes expected`);
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  number(bytes: number): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }

  /** What comes after its own length (RFC 8446, section 3.4). */
  vector(lengthBytes: number): Buffer {
    return this.take(this.number(lengthBytes));
  }
}
