import type { ServerHttp2Session } from 'node:http2';
import { SERVER_LIMITS } from './server-limits.ts';

/** Ends an HTTP/2 connection on which there is no request in time. */
export function expectRequest(session: ServerHttp2Session): void {
  const late = setTimeout(() => session.destroy(), SERVER_LIMITS.headersTimeout);
  const stop = () => clearTimeout(late);
  session.once('stream', stop).once('close', stop);
}
