import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { errors } from '../errors.ts';
import { type Target, urlOf } from '../flow.ts';
import { HttpAgent, HttpsAgent } from './agents.ts';
import type { Authority } from './authority.ts';
import { type Dialer, limitConnectTime } from './dialer.ts';
import { basic, type ParentProxy } from './parent-proxy.ts';

export interface UpstreamRules {
  readonly sslInsecure: boolean;
}

/** Response heads larger than this are refused. */
const MAX_HEAD_BYTES = 64 * 1024;

/** How long an idle connection is kept. Longer ones are often closed by the other end just as a request leaves. */
const KEEP_ALIVE_MS = 4_000;

/**
 * Connections to the servers, shared by all clients and kept alive. Requests leave with their headers as given: order,
 * case and duplicates.
 */
export class Upstream {
  rules: UpstreamRules;
  readonly #dialer: Dialer;
  readonly #secureContext: tls.SecureContext;
  readonly #agents;

  /** @throws InsightError `upstreamCaUnreadable` */
  constructor(dialer: Dialer, rules: UpstreamRules, extraCaFile?: string) {
    this.#dialer = dialer;
    this.rules = rules;
    this.#agents = {
      shared: { http: new HttpAgent(dialer, AGENT_OPTIONS), https: new HttpsAgent(dialer, AGENT_OPTIONS) },
      fresh: { http: new HttpAgent(dialer), https: new HttpsAgent(dialer) },
    };
    // Made once: given as `ca`, the certificates would be parsed for each connection and compared for each request.
    this.#secureContext = tls.createSecureContext(extraCaFile === undefined ? {} : { ca: withRoots(extraCaFile) });
  }

  /**
   * Opens a request. Its body, its answer and its errors are the caller's.
   *
   * @param headers names and values in one row, with a `Host`
   * @param connection `fresh` for one that no request has been on
   * @throws InsightError `privateTarget`
   */
  request(
    target: Target,
    method: string,
    path: string,
    headers: readonly string[],
    connection: 'shared' | 'fresh' = 'shared',
  ): http.ClientRequest {
    const { scheme, host, port } = target;
    const secure = scheme === 'https';
    const options = this.#dialer.options({ host, port });
    const parent = this.#dialer.parentFor(host);
    if (!secure && parent?.scheme === 'http')
      return this.#requestByProxy(parent, { method, path: urlOf(target, path), headers }, connection);
    const request = (secure ? https : http).request({
      ...options,
      method,
      path,
      headers,
      agent: this.#agents[connection][scheme],
      maxHeaderSize: MAX_HEAD_BYTES,
      ...(secure && {
        secureContext: this.#secureContext,
        rejectUnauthorized: !this.rules.sslInsecure,
        // RFC 6066, section 3: no SNI for addresses.
        servername: net.isIP(host) === 0 ? host : '',
        checkServerIdentity: (_name: string, certificate: tls.PeerCertificate) =>
          tls.checkServerIdentity(host, certificate),
      }),
    });
    return limited(request, target, secure ? 'secureConnect' : 'connect');
  }

  /** A plain request by way of a proxy, in absolute form (RFC 9112, section 3.2.2). */
  #requestByProxy(
    { host, port, login }: ParentProxy,
    { headers, ...head }: { method: string; path: string; headers: readonly string[] },
    connection: 'shared' | 'fresh',
  ): http.ClientRequest {
    const credentials = login === undefined ? [] : ['proxy-authorization', basic(login)];
    const agent = this.#agents[connection].http;
    const all = { ...head, headers: [...headers, ...credentials], host, port, agent, maxHeaderSize: MAX_HEAD_BYTES };
    return limited(http.request(all), { host, port }, 'connect');
  }

  close(): void {
    for (const agents of Object.values(this.#agents)) for (const agent of Object.values(agents)) agent.destroy();
  }
}

/** Bounds the time that a new connection may take; and has no write wait for acknowledgements. */
function limited(request: http.ClientRequest, to: Authority, ready: 'connect' | 'secureConnect'): http.ClientRequest {
  // The agent's own `noDelay` does not reach TLS sockets. Without it, a body that comes after its head waits for the
  // server's delayed acknowledgement, some 40 ms.
  request.setNoDelay(true);
  // How large a head may be is bounded already; what is beyond a number of fields would be dropped without a word.
  request.maxHeadersCount = 0;
  request.once('socket', (socket) => {
    if (socket.connecting) limitConnectTime(socket, to, ready);
  });
  return request;
}

const AGENT_OPTIONS: http.AgentOptions = {
  keepAlive: true,
  maxFreeSockets: 256,
  scheduling: 'lifo',
  timeout: KEEP_ALIVE_MS,
};

function withRoots(extraCaFile: string): string[] {
  try {
    const extra = readFileSync(extraCaFile, 'utf8');
    if (!extra.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it holds no PEM certificate');
    // Fails here rather than at the first connection.
    tls.createSecureContext({ ca: extra });
    return [...tls.rootCertificates, ...nodeExtraCa(), extra];
  } catch (error) {
    throw errors.upstreamCaUnreadable(extraCaFile, error);
  }
}

/** Certificates that Node trusts besides its own, and would forget when others are given. */
function nodeExtraCa(): string[] {
  const file = process.env.NODE_EXTRA_CA_CERTS;
  return file === undefined || file === '' ? [] : [readFileSync(file, 'utf8')];
}
