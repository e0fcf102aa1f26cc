import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type net from 'node:net';
import type { Answer } from '../addon.ts';
import { HttpResponse } from '../flow.ts';
import { Headers } from '../headers.ts';

/** An answer as text, for a socket that Node's HTTP server has let go of, as after CONNECT. */
export function rawAnswer(answer: Answer, connection: 'close' | 'keep-alive'): string {
  const { status, headers, content } = HttpResponse.from(answer);
  headers.set('Connection', connection);
  return `${headText(status, STATUS_CODES[status] ?? '', headers)}${content}`;
}

/** The head of an upstream's answer, as it came. */
export function rawHead(answer: IncomingMessage): string {
  const headers = Headers.fromFlat(answer.rawHeaders);
  if (answer.statusCode !== 101) {
    // Node has taken the chunks apart; the end of the connection marks the end of the body instead.
    headers.delete('transfer-encoding');
    headers.set('Connection', 'close');
  }
  return headText(answer.statusCode ?? 502, answer.statusMessage ?? '', headers);
}

/** How long a client that has been answered may go on sending. */
const LINGER_MS = 1_000;

/** Answers on such a socket, and closes it. */
export function endRaw(socket: net.Socket, answer: Answer): void {
  socket.end(rawAnswer(answer, 'close'));
  // Closed with bytes unread, a connection is reset, and the answer lost with it (RFC 9112, section 9.6).
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.resume().once('end', () => socket.destroySoon());
  socket.once('close', () => clearTimeout(timer));
}

/** A head as it is on the wire of HTTP/1.1. */
export function headText(status: number, statusText: string, headers: Headers): string {
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${statusText}\r\n${lines.join('')}\r\n`;
}
