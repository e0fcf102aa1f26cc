import type { Ask } from './asks.ts';
import type { Alpn, Entrant } from './contestant.ts';
import { Http1Connection } from './http1-connection.ts';
import { Http2Connection } from './http2-connection.ts';

/** A connection that takes one request after another. It checks each answer, and costs as little as can be. */
export interface Connection {
  /**
   * One exchange, to its end; `onData` gets the body as it comes.
   *
   * @throws when the answer is not the one that was to come
   */
  exchange(ask: Ask, onData?: (piece: Buffer) => void): Promise<void>;
  close(): void;
}

export async function openConnection(
  entrant: Entrant,
  host: string,
  version: Alpn,
  user?: string,
): Promise<Connection> {
  const socket = await entrant.open(host, version, user);
  if (socket.alpnProtocol !== version) throw new Error(`${version} was asked for; it speaks ${socket.alpnProtocol}`);
  return version === 'h2' ? Http2Connection.begin(socket, host) : new Http1Connection(socket);
}

/** @throws when an answer is not what the server sends */
export function checkAnswer(ask: Ask, status: number, bytes: number): void {
  if (status === 200 && bytes === ask.answerBytes) return;
  throw new Error(`${ask.path}: an answer ${status} of ${bytes} bytes; ${ask.answerBytes} were to come`);
}
