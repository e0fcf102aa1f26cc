/** Servers that do as a test says, over TLS and in the clear. */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type net from 'node:net';
import { makeCertificate } from './certificates.ts';
import { FAKE_HOSTS } from './fake-copilot.ts';

export type Credentials = Awaited<ReturnType<typeof makeCertificate>>;

export interface OwnUpstream {
  /** HTTPS. */
  readonly port: number;
  readonly plainPort: number;
  /** PEM of the CA that signed its certificate. */
  readonly ca: string;
  /** Connections that are open now, below TLS. */
  readonly sockets: ReadonlySet<net.Socket>;
  close(): Promise<void>;
}

/** Of HTTP/2. Node would send no more than 64 KiB. */
const MAX_SENT_HEAD_BYTES = 2 ** 20;

/** Certificates for all the hosts of a fake Copilot, for as many servers as you like. */
export function makeCredentials(): Promise<Credentials> {
  return makeCertificate(FAKE_HOSTS);
}

/**
 * Starts both servers. They never close an idle connection: that is the proxy's to do. Over HTTPS, the one speaks
 * HTTP/1.1, or HTTP/2 too.
 */
export async function startOwnUpstream(
  handler: http.RequestListener,
  given?: Credentials,
  version: 'http/1.1' | 'h2' = 'http/1.1',
): Promise<OwnUpstream> {
  const credentials = given ?? (await makeCredentials());
  const sockets = new Set<net.Socket>();
  const options = { keepAliveTimeout: 0, requestTimeout: 0, noDelay: true };
  const tlsOptions = { ...options, key: credentials.key, cert: credentials.cert };
  const secure =
    version === 'h2'
      ? // HTTP/2's compatibility layer has the same methods, with other types.
        http2.createSecureServer(
          { ...tlsOptions, allowHTTP1: true, maxSendHeaderBlockLength: MAX_SENT_HEAD_BYTES },
          handler as never,
        )
      : https.createServer(tlsOptions, handler);
  const plain = http.createServer(options, handler);
  for (const server of [secure, plain]) {
    server.on('connection', (socket: net.Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => sockets.delete(socket));
    });
    server.on('tlsClientError', () => {});
    await once(server.listen(0, '127.0.0.1'), 'listening');
  }
  return {
    port: (secure.address() as net.AddressInfo).port,
    plainPort: (plain.address() as net.AddressInfo).port,
    ca: credentials.ca,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([secure, plain].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** What has a proxy take all hosts for this upstream, and trust it. */
export function leadingTo({ port, plainPort, ca }: Pick<OwnUpstream, 'port' | 'plainPort' | 'ca'>): {
  args: string[];
  files: Record<string, string>;
} {
  return {
    args: [
      ...['--connect-to', `:443:127.0.0.1:${port}`],
      ...['--connect-to', `:80:127.0.0.1:${plainPort}`],
      ...['--upstream-ca', 'own-upstream-ca.pem'],
    ],
    files: { 'own-upstream-ca.pem': ca },
  };
}
