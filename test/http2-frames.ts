/** A server that speaks HTTP/2 frame by frame (RFC 9113, section 4), for what no proper server would send. */
import { once } from 'node:events';
import type net from 'node:net';
import tls from 'node:tls';
import type { Credentials } from './own-upstream.ts';

/** RFC 9113, section 6. */
export const FRAME = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
const ACK = 1;
/** RFC 9113, section 6.5.2. */
const MAX_CONCURRENT_STREAMS = 3;

/** `:status: 200`, by the static table of HPACK (RFC 7541, appendix A). */
const STATUS_200 = Buffer.from([0x88]);

/** What a client says before its first frame (RFC 9113, section 3.4). */
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const FRAME_HEAD_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frameOf(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** One client's connection, with its settings and pings answered. */
export class FrameConnection {
  readonly socket: tls.TLSSocket;
  /** Set it to leave pings unanswered. */
  isDeaf = false;

  constructor(socket: tls.TLSSocket, settings: Buffer, onFrame: (frame: Frame) => void) {
    this.socket = socket;
    let received = Buffer.alloc(0);
    let isPast = false;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (!isPast && received.length >= PREFACE.length) {
        isPast = true;
        received = received.subarray(PREFACE.length);
        this.send(FRAME.settings, 0, 0, settings);
      }
      while (isPast && received.length >= FRAME_HEAD_BYTES) {
        const length = received.readUIntBE(0, 3);
        if (received.length < FRAME_HEAD_BYTES + length) break;
        const [type, flags] = [received[3] as number, received[4] as number];
        const payload = received.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + length);
        const stream = received.readUInt32BE(5);
        received = received.subarray(FRAME_HEAD_BYTES + length);
        const wantsAck = (type === FRAME.settings || type === FRAME.ping) && (flags & ACK) === 0;
        if (wantsAck && !this.isDeaf) this.send(type, ACK, 0, type === FRAME.ping ? payload : undefined);
        onFrame({ type, flags, stream, payload });
      }
    });
  }

  send(type: number, flags: number, stream: number, payload?: Buffer): void {
    this.socket.write(frameOf(type, flags, stream, payload));
  }

  /** The head of a good answer. */
  sendHead(stream: number, flags = 0): void {
    this.send(FRAME.headers, END_HEADERS | flags, stream, STATUS_200);
  }

  sendData(stream: number, text: string, flags = 0): void {
    this.send(FRAME.data, flags, stream, Buffer.from(text));
  }

  /** `x: y`, as a literal without indexing (RFC 7541, section 6.2.2). */
  sendTrailers(stream: number): void {
    this.send(FRAME.headers, END_HEADERS | END_STREAM, stream, Buffer.from([0, 1, 0x78, 1, 0x79]));
  }

  reset(stream: number, code: number): void {
    this.send(FRAME.reset, 0, stream, uint32(code));
  }

  goAway(lastStream: number, code = 0): void {
    this.send(FRAME.goAway, 0, 0, Buffer.concat([uint32(lastStream), uint32(code)]));
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** RFC 9113, section 6.5.1. */
function setting(identifier: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, identifier]), uint32(value)]);
}

export interface FrameServer {
  readonly port: number;
  readonly connections: readonly FrameConnection[];
  /** A connection to it, on which HTTP/2 is agreed on. */
  connect(): Promise<tls.TLSSocket>;
  close(): Promise<void>;
}

/**
 * @param onFrame told of each frame, on which of the connections so far, counted from 0
 * @param maxStreams how many requests it says that it takes at once on a connection
 */
export async function startFrameServer(
  { key, cert, ca }: Credentials,
  onFrame: (frame: Frame, connection: FrameConnection, index: number) => void,
  maxStreams?: number,
): Promise<FrameServer> {
  const settings = maxStreams === undefined ? Buffer.alloc(0) : setting(MAX_CONCURRENT_STREAMS, maxStreams);
  const connections: FrameConnection[] = [];
  const server = tls.createServer({ key, cert, ALPNProtocols: ['h2'] }, (socket) => {
    const index = connections.length;
    const connection: FrameConnection = new FrameConnection(socket, settings, (frame) =>
      onFrame(frame, connection, index),
    );
    connections.push(connection);
  });
  server.on('tlsClientError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  return {
    port,
    connections,
    async connect() {
      const socket = tls.connect({ port, ca, ALPNProtocols: ['h2'], checkServerIdentity: () => undefined });
      await once(socket, 'secureConnect');
      return socket.on('error', () => {});
    },
    async close() {
      for (const { socket } of connections) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
