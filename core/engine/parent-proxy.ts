import http from 'node:http';
import type net from 'node:net';
import { codeOf, errors } from '../errors.ts';
import type { Authority } from './authority.ts';

/** A proxy that our own connections to servers go through. */
export interface ParentProxy extends Authority {
  readonly scheme: 'http' | 'socks5';
  readonly login: { readonly user: string; readonly password: string } | undefined;
  /** Hosts that are connected to directly, as in the environment variable `NO_PROXY`: names with their subdomains. */
  readonly except: readonly string[];
}

const DEFAULT_PORT = { http: 80, socks5: 1080 } as const;

/**
 * Reads `http://user:password@host:port` or `socks5://…`. Credentials may be percent-encoded.
 *
 * @throws InsightError `upstreamInvalid`, which does not show the password
 */
export function parseParentProxy(value: string, except: readonly string[]): ParentProxy {
  try {
    const url = new URL(value);
    const scheme = url.protocol.slice(0, -1) as ParentProxy['scheme'];
    if (!(scheme in DEFAULT_PORT) || url.hostname === '' || !/^\/?$/.test(url.pathname)) throw new Error('no proxy');
    const [user, password] = [url.username, url.password].map(decodeURIComponent) as [string, string];
    return {
      scheme,
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? DEFAULT_PORT[scheme] : Number(url.port),
      login: user === '' ? undefined : { user, password },
      except: except
        .map((name) =>
          name
            .trim()
            .toLowerCase()
            .replace(/^\*?\./, ''),
        )
        .filter((name) => name !== ''),
    };
  } catch {
    throw errors.upstreamInvalid(value.replace(/\/\/[^@/]*@/, '//***@'));
  }
}

/** Whether a host is to be reached through it. */
export function isThrough({ except }: ParentProxy, host: string): boolean {
  return !except.some((name) => name === '*' || host === name || host.endsWith(`.${name}`));
}

/**
 * Has the proxy open a connection.
 *
 * @throws InsightError `parentProxyRefused` with what it said, or the system's error when it is not there
 */
export function openThrough(parent: ParentProxy, target: Authority, timeoutMs: number): Promise<net.Socket> {
  return parent.scheme === 'socks5' ? openBySocks(parent, target, timeoutMs) : openByConnect(parent, target, timeoutMs);
}

/** RFC 9110, section 9.3.6. */
async function openByConnect(parent: ParentProxy, target: Authority, timeoutMs: number): Promise<net.Socket> {
  const { host, port, login } = parent;
  const wanted = `${bracketed(target.host)}:${target.port}`;
  const request = http.request({
    host,
    port,
    method: 'CONNECT',
    path: wanted,
    headers: {
      host: wanted,
      ...(login && { 'proxy-authorization': basic(login) }),
    },
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
  });
  request.end();
  const refused = (status: number | undefined) => errors.parentProxyRefused(nameOf(parent), `it answered ${status}`);
  const [response, socket, head] = await new Promise<[http.IncomingMessage, net.Socket, Buffer]>((resolve, reject) => {
    request.once('connect', (...answer) => resolve(answer));
    request.once('response', ({ statusCode }) => reject(refused(statusCode)));
    request.once('error', reject);
  });
  if (response.statusCode !== 200) {
    socket.destroy();
    throw refused(response.statusCode);
  }
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/** RFC 1928 and 1929. The name goes to the proxy as it is, which looks it up. */
async function openBySocks(parent: ParentProxy, target: Authority, timeoutMs: number): Promise<net.Socket> {
  const { host, port, login } = parent;
  // As all of CommonJS that is bundled, it has its exports in one.
  const { SocksClient } = (await import('socks')).default;
  try {
    const { socket } = await SocksClient.createConnection({
      proxy: { host, port, type: 5, ...(login && { userId: login.user, password: login.password }) },
      command: 'connect',
      destination: target,
      timeout: timeoutMs,
      set_tcp_nodelay: true,
    });
    return socket;
  } catch (error) {
    if (codeOf(error) !== undefined) throw error;
    throw errors.parentProxyRefused(nameOf(parent), (error as Error).message);
  }
}

/** The header by which a plain `http://` request proves to the proxy whose it is (RFC 7617). */
export function basic({ user, password }: NonNullable<ParentProxy['login']>): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function nameOf({ host, port }: ParentProxy): string {
  return `${bracketed(host)}:${port}`;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
