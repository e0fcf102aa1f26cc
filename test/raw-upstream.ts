/** Servers that read and write by hand, for what no HTTP library would send. */
import { once } from 'node:events';
import net from 'node:net';
import { after, before } from 'node:test';
import tls from 'node:tls';
import { type Credentials, leadingTo, makeCredentials } from './own-upstream.ts';
import { ProxyProcess } from './proxy-process.ts';
import { TELL } from './telling.ts';

/** Serves a connection. `reset` breaks it off by RST: of TLS, only the socket below can be reset. */
export type Serve = (socket: net.Socket, reset: () => void) => void;

/** Lets in alice, looks into `plain.example` too, and says how each flow ends. */
export const RAW_CONFIG = `export default {
  addons: ['addons/auth.ts', 'tell.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0,
  allowHosts: ['githubcopilot', '^plain.example:80$'],
};`;

export interface RawStage {
  readonly proxy: ProxyProcess;
  readonly upstream: RawUpstream;
}

/** Starts a proxy to which all of the world is such a server, for the tests of one `describe`. */
export function setRawStage(config: string, use: (stage: RawStage) => void): void {
  let stage: Awaited<ReturnType<typeof startRawStage>> | undefined;
  before(async () => {
    stage = await startRawStage(config);
    use(stage);
  });
  after(() => stage?.close());
}

/** The same for one test. */
export async function withRawUpstream(
  serve: Serve,
  test: (proxy: ProxyProcess) => Promise<void>,
  config = RAW_CONFIG,
  scripts: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { proxy, upstream, close } = await startRawStage(config, scripts);
  upstream.serve = serve;
  await test(proxy).finally(close);
}

async function startRawStage(
  config: string,
  scripts: Readonly<Record<string, string>> = {},
): Promise<RawStage & { close(): Promise<void> }> {
  const upstream = await startRawUpstream();
  const { args, files } = leadingTo(upstream);
  const proxy = await ProxyProcess.start({ args, config, files: { 'tell.ts': TELL, ...files, ...scripts } });
  const close = async () => {
    await proxy.stop();
    await upstream.close();
  };
  return { proxy, upstream, close };
}

export interface RawUpstream {
  /** TLS without ALPN. */
  readonly port: number;
  readonly plainPort: number;
  /** PEM of the CA that signed its certificate. */
  readonly ca: string;
  /** Serves connections from now on. */
  serve: Serve;
  close(): Promise<void>;
}

async function startRawUpstream(): Promise<RawUpstream> {
  const { key, cert, ca } = await credentials();
  const sockets = new Set<net.Socket>();
  const plain = net.createServer({ allowHalfOpen: true }, (socket) =>
    upstream.serve(socket, () => socket.resetAndDestroy()),
  );
  const below = new Map<string, net.Socket>();
  const secure = tls.createServer({ key, cert }, (socket) => {
    socket.on('error', () => {});
    upstream.serve(socket, () => below.get(peerOf(socket))?.resetAndDestroy());
  });
  for (const server of [plain, secure]) {
    server.on('connection', (socket: net.Socket) => {
      socket.on('error', () => {});
      sockets.add(socket);
      below.set(peerOf(socket), socket);
    });
    server.on('tlsClientError', () => {});
    await once(server.listen(0, '127.0.0.1'), 'listening');
  }
  const upstream: RawUpstream = {
    port: (secure.address() as net.AddressInfo).port,
    plainPort: (plain.address() as net.AddressInfo).port,
    ca,
    serve: (socket) => socket.destroy(),
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([plain, secure].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
  return upstream;
}

const peerOf = ({ remotePort, localPort }: net.Socket) => `${remotePort} ${localPort}`;

let made: Promise<Credentials> | undefined;

/** The same for all servers of a test file. */
function credentials(): Promise<Credentials> {
  made ??= makeCredentials();
  return made;
}
