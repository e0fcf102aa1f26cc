/** Bodies that are too large to be held anywhere, both ends of them. */
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type tls from 'node:tls';

export type Direction = 'download' | 'upload';

const PIECE = Buffer.alloc(256 * 1024);

/** A server's part: sends as many zeros as it is asked for, or tells how many bytes it was sent. */
export async function answerLargeBody(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'GET') await writeZeros(response, Number(request.headers['x-bytes']));
  else response.end(String(await countBytes(request)));
}

/**
 * A client's part: sends or fetches a body over a connection, in the version that was agreed on, and closes it. Returns
 * how many bytes have come to the receiver.
 */
export async function transfer(
  socket: tls.TLSSocket,
  direction: Direction,
  bytes: number,
  path = '/',
): Promise<number> {
  const host = socket.servername || 'x';
  const method = direction === 'download' ? 'GET' : 'POST';
  if (socket.alpnProtocol !== 'h2') {
    const request = http.request({ createConnection: () => socket, method, path, headers: { host, 'x-bytes': bytes } });
    const answered = once(request, 'response').then(([response]) => response as IncomingMessage);
    const count = await moved(direction, request, answered, bytes);
    socket.destroy();
    return count;
  }
  const session = http2.connect(`https://${host}`, { createConnection: () => socket });
  session.on('error', () => {});
  const stream = session.request(
    { ':method': method, ':path': path, 'x-bytes': bytes },
    { endStream: direction === 'download' },
  );
  const answered = once(stream, 'response').then(() => stream);
  const count = await moved(direction, stream, answered, bytes);
  session.close();
  return count;
}

async function moved(
  direction: Direction,
  request: Writable,
  answered: Promise<Readable>,
  bytes: number,
): Promise<number> {
  if (direction === 'download') {
    if (!request.writableEnded) request.end();
    return countBytes(await answered);
  }
  // It is waited for only when all is sent, which may fail for the same reason.
  answered.catch(() => {});
  await writeZeros(request, bytes);
  return Number(await buffer(await answered));
}

/** Writes so many zeros at the pace of their reader, and ends. */
async function writeZeros(sink: Writable, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= PIECE.length) {
    if (!sink.write(PIECE.subarray(0, left))) await once(sink, 'drain');
  }
  sink.end();
}

async function countBytes(source: Readable): Promise<number> {
  let bytes = 0;
  source.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(source, 'end');
  return bytes;
}
