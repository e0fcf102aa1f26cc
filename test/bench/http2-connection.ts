import { once } from 'node:events';
import http2 from 'node:http2';
import type tls from 'node:tls';
import type { Ask } from './asks.ts';
import { type Connection, type Tally, takeAnswer } from './connection.ts';

/** HTTP/2; here, exchanges may also run side by side. */
export class Http2Connection implements Connection {
  readonly #session: http2.ClientHttp2Session;
  readonly #tally: Tally;

  private constructor(session: http2.ClientHttp2Session, tally: Tally) {
    this.#session = session;
    this.#tally = tally;
  }

  static async begin(socket: tls.TLSSocket, host: string, tally: Tally): Promise<Http2Connection> {
    const session = http2.connect(`https://${host}`, { createConnection: () => socket });
    session.on('error', () => {});
    // Until then, one stream at a time is all that may be opened with certainty.
    await once(session, 'remoteSettings');
    return new Http2Connection(session, tally);
  }

  exchange(ask: Ask, onData?: (piece: Buffer) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ':method': 'POST',
        ':path': ask.path,
        ':authority': ask.host,
        ...ask.headers,
      });
      let status = 0;
      let bytes = 0;
      stream.on('response', (headers) => {
        status = headers[':status'] ?? 0;
      });
      stream.on('data', (piece: Buffer) => {
        bytes += piece.length;
        onData?.(piece);
      });
      stream.on('error', reject);
      stream.on('close', () => {
        try {
          takeAnswer(this.#tally, ask, status, bytes);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
      stream.end(ask.body);
    });
  }

  close(): void {
    this.#session.destroy();
  }
}
