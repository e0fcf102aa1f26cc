import type net from 'node:net';
import type { TLSSocket } from 'node:tls';

/** How often a connection is looked at. */
const LOOK_INTERVAL_MS = 1_000;

/**
 * Ends a TLS connection that has lost a write. When the system refuses a write at once, because the other end has reset the
 * connection, Node goes on as if that write were still on its way (`TLSWrap::EncOut` in its src/crypto/crypto_tls.cc):
 * all later ones wait for it, for good. A session of HTTP/2 reads nothing while it writes, so it never notices that the
 * other end has gone; a connection of HTTP/1 that is closing never closes.
 *
 * It shows from outside: encrypted bytes wait, none are on their way, and none have left between two looks.
 *
 * @param below the connection that carries it
 */
export function endOnLostWrite(secure: TLSSocket, below: net.Socket): void {
  let sentBytes = -1;
  const timer = setInterval(() => {
    const stands = waitingBytes(secure) > 0 && waitingBytes(below) === 0;
    if (stands && below.bytesWritten === sentBytes) below.destroy();
    sentBytes = stands ? below.bytesWritten : -1;
  }, LOOK_INTERVAL_MS);
  below.once('close', () => clearInterval(timer));
}

/** Of TLS: what is encrypted and not sent. Of TCP: what the system has not taken yet. */
function waitingBytes(socket: net.Socket): number {
  const { _handle } = socket as unknown as { readonly _handle: { readonly writeQueueSize: number } | null };
  return _handle?.writeQueueSize ?? 0;
}
