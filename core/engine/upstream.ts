import { once } from 'node:events';
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
import { Http1Request, http1Fields } from './http1-request.ts';
import type { Http2Limits } from './http2-connection.ts';
import { Http2Pool } from './http2-pool.ts';
import { Http2Request } from './http2-request.ts';
import { endOnLostWrite } from './lost-writes.ts';
import { basic, type ParentProxy } from './parent-proxy.ts';
import { MAX_HEAD_BYTES, type RequestHead, type UpstreamRequest } from './upstream-request.ts';

export interface UpstreamRules {
  readonly sslInsecure: boolean;
}

/**
 * How long an idle connection of HTTP/1.1 is kept. Longer ones are often closed by the other end just as a request
 * leaves.
 */
const KEEP_ALIVE_MS = 4_000;

/** Those of HTTP/2 can be asked whether they are still good. */
const HTTP2_LIMITS: Http2Limits = {
  keepIdleMs: 60_000,
  probeIntervalMs: 15_000,
  probeLimitMs: 10_000,
};

/**
 * Connections to the servers, shared by all clients and kept alive. Over HTTP/1.1, requests leave with their headers as
 * given: order, case and duplicates.
 */
export class Upstream {
  rules: UpstreamRules;
  readonly #dialer: Dialer;
  readonly #secureContext: tls.SecureContext;
  readonly #agents;
  readonly #http2Pool = new Http2Pool(HTTP2_LIMITS);

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
   * @param offer `h2` where the server may choose HTTP/2: for clients that speak it themselves
   * @param connection `fresh` for one that no request has been on
   * @throws InsightError `privateTarget`, `connectTimeout`, `parentProxyRefused`, or the system's error
   */
  async request(
    head: RequestHead,
    offer: 'h2' | 'http/1.1',
    connection: 'shared' | 'fresh' = 'shared',
  ): Promise<UpstreamRequest> {
    const { target } = head;
    if (offer === 'http/1.1' || target.scheme === 'http') return this.#http1Request(head, connection);
    const { host, port, wanted } = this.#dialer.options(dialed(target));
    const tlsOptions = this.#tlsOptions(target.host);
    const { servername, rejectUnauthorized } = tlsOptions;
    const parent = this.#dialer.parentFor(wanted);
    const server = JSON.stringify([host, port, servername, rejectUnauthorized, parent]);
    const connect = () => this.#connectSecure(target, tlsOptions);
    const opened = await this.#http2Pool.request(server, connect, head, connection);
    if (opened instanceof Http2Request) return opened;
    try {
      return this.#http1Request(head, connection, opened);
    } catch (error) {
      // The head cannot be sent.
      opened?.destroy();
      throw error;
    }
  }

  async #connectSecure(target: Target, tlsOptions: tls.ConnectionOptions): Promise<tls.TLSSocket> {
    const socket = await this.#dialer.connect(dialed(target));
    // Within TLS, a server that sends no more is gone.
    socket.allowHalfOpen = false;
    const secured = tls.connect({ ...tlsOptions, socket, ALPNProtocols: ['h2', 'http/1.1'] });
    limitConnectTime(secured, target, 'secureConnect');
    await once(secured, 'secureConnect');
    endOnLostWrite(secured, socket);
    // Whoever takes it has listeners of their own; in between, an error must not end the process.
    return secured.on('error', () => {});
  }

  #tlsOptions(host: string) {
    return {
      secureContext: this.#secureContext,
      rejectUnauthorized: !this.rules.sslInsecure,
      // RFC 6066, section 3: no SNI for addresses.
      servername: net.isIP(host) === 0 ? host : '',
      checkServerIdentity: (_name: string, certificate: tls.PeerCertificate) =>
        tls.checkServerIdentity(host, certificate),
    };
  }

  /** @param ready a connection to use, if none is kept */
  #http1Request(head: RequestHead, connection: 'shared' | 'fresh', ready?: tls.TLSSocket): UpstreamRequest {
    const { target, method, path } = head;
    const { scheme, host } = target;
    const secure = scheme === 'https';
    const { host: address, port, lookup, wanted } = this.#dialer.options(dialed(target));
    const parent = this.#dialer.parentFor(wanted);
    const headers = http1Fields(head);
    if (!secure && parent?.scheme === 'http') {
      const byProxy = { method, path: urlOf(target, path), headers };
      return new Http1Request(this.#requestByProxy(parent, byProxy, connection), head);
    }
    const { secureContext, rejectUnauthorized, servername, checkServerIdentity } = this.#tlsOptions(host);
    // Named one by one, those of TLS for plain HTTP as well, which does not look at them: to spread them takes V8 longer
    // than all the rest takes Node.
    const options = {
      host: address,
      port,
      lookup,
      wanted,
      method,
      path,
      headers,
      agent: this.#agents[connection][scheme],
      maxHeaderSize: MAX_HEAD_BYTES,
      secureContext,
      rejectUnauthorized,
      servername,
      checkServerIdentity,
      ready,
    };
    const request = (secure ? https : http).request(options);
    if (ready !== undefined) {
      // A kept connection may have been taken instead; or none, when the request is given up at once.
      const drop = () => {
        if (request.socket !== ready) ready.destroy();
      };
      request.once('socket', drop).once('close', drop);
    }
    return new Http1Request(limited(request, target, secure ? 'secureConnect' : 'connect'), head);
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
    this.#http2Pool.close();
    for (const agents of Object.values(this.#agents)) for (const agent of Object.values(agents)) agent.destroy();
  }
}

/** What is connected to for a target. */
function dialed({ host, port, address = host }: Target): Authority {
  return { host: address, port };
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
