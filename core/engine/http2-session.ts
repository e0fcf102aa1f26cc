import type { Http2Session, ServerHttp2Session } from 'node:http2';
import { SERVER_LIMITS } from './server-limits.ts';

/** What a field of a head counts besides its name and value (RFC 9113, section 6.5.2). */
export const FIELD_EXTRA_BYTES = 32;

/** How often a session that may have stopped reading reads on. */
const READ_ON_INTERVAL_MS = 1_000;

/** Ends an HTTP/2 connection on which there is no request in time. */
export function expectRequest(session: ServerHttp2Session): void {
  const late = setTimeout(() => session.destroy(), SERVER_LIMITS.headersTimeout);
  const stop = () => clearTimeout(late);
  session.once('stream', stop).once('close', stop);
}

/**
 * Has a session over TLS notice that the other end has gone, whatever was before. Of most frames that break the rules,
 * nghttp2 tells nobody: it says goodbye to the other end, and wants nothing more of it. Node then stops reading
 * (`Http2Session::MaybeStopReading` in its src/node_http2.cc), and so never hears that the connection has ended, either:
 * all requests on it would wait for good.
 */
export function noticeEnd(session: Http2Session): void {
  const timer = setInterval(() => {
    // Of one that has lost a write, Node never says that it is closed.
    if (session.destroyed) return clearInterval(timer);
    const { _handle: handle } = session.socket as unknown as { readonly _handle: TlsHandle | null };
    // While it writes, it reads nothing on purpose.
    if (handle?.writeQueueSize === 0) handle.readStart();
  }, READ_ON_INTERVAL_MS).unref();
}

/** Node's end of a TLS connection. */
interface TlsHandle {
  /** Bytes that are encrypted and not sent. */
  readonly writeQueueSize: number;
  readStart(): number;
}
