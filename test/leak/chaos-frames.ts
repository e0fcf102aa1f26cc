/** A server that breaks the rules of HTTP/2 frame by frame, in another way for each request. */
import {
  END_HEADERS,
  END_STREAM,
  FRAME,
  type FrameConnection,
  type FrameServer,
  startFrameServer,
} from '../http2-frames.ts';
import type { Credentials } from '../own-upstream.ts';

/** RFC 9113, section 6.5.2. */
const SETTING = { enablePush: 2, initialWindowSize: 4 } as const;
/** A header of a frame that no client takes: more than the 16 KiB that are allowed at first. */
const TOO_LARGE_BYTES = 20_000;
/** A type that nobody knows; it has to be ignored (RFC 9113, section 5.5). */
const UNKNOWN_TYPE = 0xbb;
/** By then, a client has taken offence, if it takes any. */
const HANG_UP_AFTER_MS = 20;

type Answer = (stream: number, connection: FrameConnection) => void;

const empty = Buffer.alloc(0);

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}

/** None of these may come out as a whole answer. */
const ANSWERS: readonly Answer[] = [
  // Of another protocol, and of none.
  (_stream, { socket }) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
  (_stream, { socket }) => socket.write(Buffer.alloc(100, 0xff)),
  // On streams where they must not be.
  (stream, connection) => connection.sendData(stream, 'no head'),
  (_stream, connection) => connection.sendData(0, 'no stream'),
  (stream, connection) => connection.sendHead(stream + 100),
  (_stream, connection) => connection.sendHead(2),
  (_stream, connection) => connection.reset(0, 0),
  (stream, connection) => connection.reset(stream + 100, 0),
  // Of the wrong shape.
  (stream, connection) => connection.send(FRAME.headers, END_HEADERS | END_STREAM, stream, Buffer.alloc(20, 0xff)),
  (stream, connection) => connection.send(FRAME.headers, END_HEADERS | END_STREAM, stream, empty),
  (stream, connection) => connection.send(FRAME.headers, 0, stream, Buffer.from([0x88])),
  (stream, connection) => connection.send(FRAME.pushPromise, END_HEADERS, stream, Buffer.from([0, 0, 0, 2, 0x82])),
  (stream, connection) => connection.send(FRAME.continuation, END_HEADERS, stream, Buffer.from([0x88])),
  (stream, connection) => connection.send(FRAME.windowUpdate, 0, stream, Buffer.alloc(4)),
  (_stream, connection) => connection.send(FRAME.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
  (_stream, connection) => connection.send(FRAME.settings, 0, 0, setting(SETTING.enablePush, 2)),
  (_stream, connection) => connection.send(FRAME.settings, 0, 0, setting(SETTING.initialWindowSize, 2 ** 31)),
  (_stream, connection) => connection.send(FRAME.settings, 0, 0, Buffer.alloc(5)),
  (_stream, connection) => connection.send(FRAME.ping, 0, 0, Buffer.alloc(7)),
  (_stream, connection) => connection.send(FRAME.goAway, 0, 0, Buffer.alloc(3)),
  (stream, connection) => {
    connection.sendHead(stream);
    connection.send(FRAME.data, 0, stream, Buffer.alloc(TOO_LARGE_BYTES));
  },
  // Good so far, and then not ended, or ended too early.
  (stream, connection) => {
    connection.send(UNKNOWN_TYPE, 0xff, stream, Buffer.alloc(10));
    connection.sendHead(stream);
    connection.socket.end(Buffer.from([0, 0, 10, FRAME.data, 0]));
  },
  ...[0, 2, 8].map((code): Answer => {
    return (stream, connection) => {
      connection.sendHead(stream);
      connection.sendData(stream, 'half');
      connection.reset(stream, code);
    };
  }),
  (stream, connection) => {
    connection.sendHead(stream);
    connection.sendHead(stream);
  },
];

/** Starts it. Whatever is said to a connection by a request, it is ended soon after. */
export function startFramesUpstream(credentials: Credentials): Promise<FrameServer> {
  let requests = 0;
  return startFrameServer(credentials, ({ type, stream }, connection) => {
    if (type !== FRAME.headers) return;
    ANSWERS[requests++ % ANSWERS.length]?.(stream, connection);
    setTimeout(() => connection.socket.destroy(), HANG_UP_AFTER_MS);
  });
}
