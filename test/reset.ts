import type net from 'node:net';
import type { Duplex } from 'node:stream';

/** A TCP connection, and what is written to: its end of TLS, or the connection itself. */
export interface Connection {
  readonly raw: net.Socket;
  readonly top: Duplex;
}

/**
 * Resets a connection (RFC 9293, section 3.5.2), whatever has been written to it. One whose end is just being sent is
 * closed instead: libuv refuses to reset it (`uv_tcp_close_reset`), and Node takes that for done. It would stay open for
 * good, without a `close`.
 */
export function reset({ raw, top }: Connection): void {
  const isEnding = [raw, top].some(({ writableEnded, writableFinished }) => writableEnded && !writableFinished);
  if (isEnding) raw.destroy();
  else raw.resetAndDestroy();
}
