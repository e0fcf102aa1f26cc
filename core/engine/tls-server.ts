import type net from 'node:net';
import tls from 'node:tls';
import type { CertificateAuthority } from './ca.ts';
import { LeafCertificates } from './leaf-certificates.ts';
import { endOnLostWrite } from './lost-writes.ts';

/** In order of preference. The last is what old versions of `https-proxy-agent` say for the one before it. */
const PROTOCOLS = ['h2', 'http/1.1', 'http 1.1'];

/** Short of what is left to a client until it speaks HTTP. */
const HANDSHAKE_TIMEOUT_MS = 20_000;

/** Who names no host that could be, gets a certificate that nobody accepts: for this. */
const NO_NAME = 'insight-dump.invalid';

/**
 * Ends clients' TLS with certificates of our CA for whatever host they name. It never listens: sockets are given to it as
 * `connection`s.
 */
export async function makeTlsServer(ca: CertificateAuthority): Promise<tls.Server> {
  const leaves = await LeafCertificates.of(ca);
  const server = tls.createServer({
    ...(await leaves.issue(NO_NAME)),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // A client that offers none of these is asked for HTTP all the same: curl does for HTTP/1.0.
    ALPNCallback: ({ protocols }) => PROTOCOLS.find((protocol) => protocols.includes(protocol)) ?? protocols[0],
    SNICallback: (name, done) => {
      Promise.resolve(leaves.contextFor(name)).then((context) => done(null, context), done);
    },
  });
  return server.on('secureConnection', (secure) => endOnLostWrite(secure, carrierOf(secure)));
}

/** The connection that carries TLS. */
function carrierOf(secure: tls.TLSSocket): net.Socket {
  return (secure as unknown as { readonly _parent: net.Socket })._parent;
}
