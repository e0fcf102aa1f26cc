import type { ServerHttp2Session } from 'node:http2';
import type net from 'node:net';
import { SERVER_LIMITS } from './server-limits.ts';

/** Ends an HTTP/2 connection that nobody uses: `socket` is the client's, below TLS. */
export function watchSession(session: ServerHttp2Session, socket: net.Socket | undefined): void {
  expectRequest(session);
  probe(session, socket);
}

/** Ends an HTTP/2 connection on which there is no request in time. */
function expectRequest(session: ServerHttp2Session): void {
  const late = setTimeout(() => session.destroy(), SERVER_LIMITS.headersTimeout);
  const stop = () => clearTimeout(late);
  session.once('stream', stop).once('close', stop);
}

/** How often an HTTP/2 client is asked whether it is still there; it has as long to answer. */
const PROBE_INTERVAL_MS = 20_000;

/**
 * Ends a connection whose client has vanished. Node 20 loses the end of a TLS write that fails: the HTTP/2 session then
 * waits for it for good, reads no more, and notices neither the end of the connection nor a reset.
 */
function probe(session: ServerHttp2Session, socket: net.Socket | undefined): void {
  let hasAnswered = true;
  const timer = setInterval(() => {
    if (!hasAnswered) {
      session.destroy();
      socket?.destroy();
    } else if (!session.destroyed) {
      hasAnswered = false;
      session.ping((error) => {
        hasAnswered = error === null;
      });
    }
  }, PROBE_INTERVAL_MS);
  const stop = () => clearInterval(timer);
  session.once('close', stop);
  socket?.once('close', stop);
}
