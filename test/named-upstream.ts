/** Servers that say who they are and which name they were asked for, and what a client sees of them through a proxy. */
import { once } from 'node:events';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { connectTo } from './clients.ts';
import { type Credentials, type OwnUpstream, startOwnUpstream } from './own-upstream.ts';
import { ProxyProcess } from './proxy-process.ts';

// Addresses for documentation (RFC 5737, RFC 3849): nobody is there but whom --connect-to puts there.
export const FIRST = '192.0.2.1';
export const FIRST_V6 = '[2001:db8::1]';
export const SECOND = '192.0.2.2';

/** Starts one that answers each request with its own name, and with the server name that its TLS was asked for. */
export function startNamed(name: string, credentials: Credentials): Promise<OwnUpstream> {
  return startOwnUpstream((request, response) => {
    const { servername } = request.socket as tls.TLSSocket & { servername?: string };
    response.end(`${name} ${servername}`);
  }, credentials);
}

/** An addon that tells the client, and the administrator, what it sees. */
const LOOK = `
  export function tlsFailed(tunnel, error, ctx) {
    ctx.log.info(['tlsFailed', tunnel.host, tunnel.serverName].join(' '));
  }
  export function responseHeaders(flow) { flow.response.headers.set('x-seen', flow.request.url); }
`;

/** Starts a proxy for which each of the hosts is at a local port, whatever port it is asked for. */
export function startProxyFor(
  ports: Readonly<Record<string, number>>,
  upstreamCa: string,
  { config, more = '' }: { config: string; more?: string },
): Promise<ProxyProcess> {
  const leads = Object.entries(ports).flatMap(([host, port]) => ['--connect-to', `${host}::127.0.0.1:${port}`]);
  return ProxyProcess.start({
    args: [...leads, '--upstream-ca', 'upstream-ca.pem'],
    config,
    files: { 'look.ts': LOOK + more, 'upstream-ca.pem': upstreamCa },
  });
}

/** What a client sees of a server. */
export interface View {
  /** Its certificate is the proxy's. */
  readonly isInside: boolean;
  /** What its certificate is for. */
  readonly names: string | undefined;
  /** The URL that an addon saw. */
  readonly seen: string | undefined;
  /** Who answered, and which name it was asked for. */
  readonly by: string | undefined;
  readonly asked: string | undefined;
}

/** Sends a request through a tunnel, with that server name in its TLS; `wrap` may get in between. */
export async function viewOf(
  proxy: ProxyProcess,
  host: string,
  servername: string | undefined,
  wrap = (socket: net.Socket): Duplex => socket,
): Promise<View> {
  const socket = wrap(await connectTo(proxy, undefined, `${host}:443`));
  const ca = [proxy.ca, proxy.read('upstream-ca.pem')];
  // Without a name, Node checks the certificate against localhost, which is among its names.
  const secure = tls.connect({ socket, ca, servername: servername ?? '' });
  await once(secure, 'secureConnect');
  const { issuer, subjectaltname } = secure.getPeerCertificate();
  secure.write('GET /x HTTP/1.1\r\nHost: host.example\r\nConnection: close\r\n\r\n');
  const text = await textOf(secure);
  const [, seen] = /^x-seen: (.*)\r$/im.exec(text) ?? [];
  const [, by, asked] = /(first|second) (\S+)/.exec(text) ?? [];
  return { isInside: issuer.CN === 'insight-dump', names: subjectaltname, seen, by, asked };
}

/** The view through a tunnel that is looked into. */
export function insideAs(name: string): View {
  return { isInside: true, names: `DNS:${name}`, seen: `https://${name}/x`, by: 'first', asked: name };
}

/** All that comes, to its end. */
export async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}
