/** Clients for tests: curl, undici, and hands on the raw connection. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { ProxyAgent } from 'undici';
import type { ProxyProcess } from './proxy-process.ts';

export interface CurlResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs curl, trusting the proxy's CA. Never throws for what curl thinks of it. */
export async function curl(
  proxy: ProxyProcess,
  user: string | undefined,
  ...args: readonly string[]
): Promise<CurlResult> {
  const all = ['-sS', '--max-time', '20', '--cacert', proxy.caFile, '-x', proxy.url(user), ...args];
  try {
    const { stdout, stderr } = await promisify(execFile)('curl', all);
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as CurlResult;
    return { code, stdout, stderr };
  }
}

/** Why a test with that command cannot run; false if it can. The arguments are those of some run that does no harm. */
export async function missing(command: string, ...args: readonly string[]): Promise<string | false> {
  try {
    await promisify(execFile)(command, args);
    return false;
  } catch {
    return `${command} is not installed`;
  }
}

/** A dispatcher for undici's `fetch` and everything built on it. */
export function proxyAgent(proxy: ProxyProcess, user: string, options: { h2?: boolean } = {}): ProxyAgent {
  const login = `${user}:${proxy.password(user)}`;
  return new ProxyAgent({
    uri: `http://127.0.0.1:${proxy.port}`,
    token: `Basic ${Buffer.from(login).toString('base64')}`,
    requestTls: { ca: proxy.ca, allowH2: options.h2 ?? false },
  });
}

export function basic(user: string, password: string, encoding: BufferEncoding = 'utf8'): string {
  return `Basic ${Buffer.from(`${user}:${password}`, encoding).toString('base64')}`;
}

/** A connection to the proxy, to write on by hand. */
export class RawConnection {
  readonly socket: net.Socket;
  #received = '';

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (text) => {
      this.#received += text;
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  /** Sends a head, and waits for the answer: its status, and its head and body as text. */
  async ask(...lines: readonly string[]): Promise<{ status: number; text: string }> {
    this.#received = '';
    this.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    return this.answer();
  }

  /** Waits for the next whole answer. */
  async answer(): Promise<{ status: number; text: string }> {
    while (!isWhole(this.#received)) {
      if (this.socket.destroyed || this.socket.readableEnded) break;
      await Promise.race([once(this.socket, 'data'), once(this.socket, 'close'), once(this.socket, 'end')]);
    }
    return { status: Number(/^HTTP\/1\.\d (\d+)/.exec(this.#received)?.[1] ?? 0), text: this.#received };
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = Number(/^content-length: (\d+)/im.exec(text.slice(0, end))?.[1] ?? 0);
  return text.length >= end + 4 + length;
}

/** What a client has to know of a proxy. */
export interface ProxyAccess {
  readonly port: number;
  /** PEM of the CA that signs what it answers with. */
  readonly ca: string;
  password(user: string): string;
}

/** Each proxy has words of its own for it. */
const GRANTED = /^HTTP\/1\.1 200 [^\r\n]*\r\n\r\n/;

/** Opens a tunnel. What the server has said in it already is there to be read. */
export async function connectTo(
  proxy: Pick<ProxyAccess, 'port' | 'password'>,
  user: string | undefined,
  authority: string,
): Promise<net.Socket> {
  const socket = net.connect({ port: proxy.port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  const login = user === undefined ? '' : `Proxy-Authorization: ${basic(user, proxy.password(user))}\r\n`;
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${login}\r\n`);
  await once(socket, 'readable');
  const answer = (socket.read() as Buffer | null) ?? Buffer.alloc(0);
  const [granted] = GRANTED.exec(answer.toString('latin1')) ?? [];
  if (granted === undefined) throw new Error(`no tunnel: ${answer.toString('latin1')}`);
  socket.unshift(answer.subarray(granted.length));
  return socket;
}

/** Asks for a tunnel with these credentials, and looks at the answer only. */
export async function tryTunnel(
  proxy: ProxyProcess,
  host: string,
  user: string,
  password: string,
  encoding: BufferEncoding = 'utf8',
): Promise<{ status: number; text: string }> {
  const connection = await RawConnection.open(proxy.port);
  const answer = await connection.ask(
    `CONNECT ${host}:443 HTTP/1.1`,
    `Host: ${host}:443`,
    `Proxy-Authorization: ${basic(user, password, encoding)}`,
  );
  connection.socket.destroy();
  return answer;
}

/** Opens a tunnel and speaks TLS in it, with the host's own name unless another is given. */
export async function openTunnel(
  proxy: ProxyAccess,
  user: string | undefined,
  host: string,
  alpn: readonly string[] = ['http/1.1'],
  servername = host,
): Promise<tls.TLSSocket> {
  const socket = await connectTo(proxy, user, `${host}:443`);
  const secure = tls.connect({ socket, servername, ca: proxy.ca, ALPNProtocols: [...alpn] });
  await once(secure, 'secureConnect');
  return secure;
}

/** An HTTP/2 session through a tunnel. */
export async function openSession(
  proxy: ProxyProcess,
  user: string | undefined,
  host: string,
): Promise<http2.ClientHttp2Session> {
  const socket = await openTunnel(proxy, user, host, ['h2']);
  const session = http2.connect(`https://${host}`, { createConnection: () => socket, maxHeaderListPairs: 2_000 });
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: http2.IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The same as text. */
  readonly body: string;
}

/** One request on an HTTP/2 session, to its end. */
export async function ask(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<ClientAnswer> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answered] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders & { ':status'?: number }];
  return clientAnswer(answered[':status'], answered, stream);
}

/** A request over HTTP/1.1 in a tunnel, which stays open. The head is written as for HTTP/2. */
export function requestHttp1(
  tunnel: tls.TLSSocket,
  { ':method': method = 'GET', ':path': path = '/', ...headers }: http.OutgoingHttpHeaders,
): http.ClientRequest {
  return http.request({
    createConnection: () => tunnel,
    method: String(method),
    path: String(path),
    headers: { host: tunnel.servername || 'x', connection: 'keep-alive', ...headers } as http.OutgoingHttpHeaders,
  });
}

/** The same, to its end. */
export async function askHttp1(
  tunnel: tls.TLSSocket,
  headers: http.OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<ClientAnswer> {
  const request = requestHttp1(tunnel, headers).end(body);
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  return clientAnswer(answer.statusCode, answer.headers, answer);
}

/** Requests, one after the other on one connection. */
export interface Asking {
  ask(headers: http.OutgoingHttpHeaders, body?: string | Buffer): Promise<ClientAnswer>;
  /** A request without a body, and the stream of its answer. */
  stream(headers: http.OutgoingHttpHeaders): Promise<Readable>;
  close(): void;
}

/** Opens a tunnel of alice's for requests, of either version. */
export const VERSIONS: Readonly<Record<'HTTP/1.1' | 'HTTP/2', (proxy: ProxyProcess, host: string) => Promise<Asking>>> =
  {
    async 'HTTP/1.1'(proxy, host) {
      const tunnel = await openTunnel(proxy, 'alice', host);
      return {
        ask: (headers, body) => askHttp1(tunnel, headers, body),
        async stream(headers) {
          const request = requestHttp1(tunnel, headers).end();
          const [answer] = await once(request, 'response');
          request.on('error', () => {});
          return answer;
        },
        close: () => tunnel.destroy(),
      };
    },
    async 'HTTP/2'(proxy, host) {
      const session = await openSession(proxy, 'alice', host);
      return {
        ask: (headers, body) => ask(session, headers, body),
        stream: async (headers) => session.request(headers),
        close: () => session.destroy(),
      };
    },
  };

async function clientAnswer(
  status = 0,
  headers: http2.IncomingHttpHeaders,
  stream: AsyncIterable<Buffer>,
): Promise<ClientAnswer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  return { status, headers, bytes, body: bytes.toString() };
}
