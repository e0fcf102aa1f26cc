/** Those that insight-dump is compared with. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { missing, openTunnel, type ProxyAccess } from '../clients.ts';
import { eventually } from '../proxy-process.ts';
import { Child, type Listening } from './child.ts';
import type { Contestant, Entrant } from './contestant.ts';
import { startProgram } from './programs.ts';

export const direct: Contestant = {
  name: 'direct',
  about: 'the client on the server, with nothing between them',
  async start({ port, ca }) {
    return {
      pid: undefined,
      isNode: false,
      async open(host, alpn) {
        const socket = tls.connect({ port, host: '127.0.0.1', servername: host, ca, ALPNProtocols: [alpn] });
        await once(socket, 'secureConnect');
        return socket;
      },
      async stop() {},
    };
  },
};

/** By a program of ours, which asks for no password. */
async function entrantOf(child: Child): Promise<Entrant> {
  const { port, ca } = await child.said<Listening>();
  const access: ProxyAccess = { port, ca, password: () => '' };
  return {
    pid: child.pid,
    isNode: true,
    open: (host, alpn) => openTunnel(access, undefined, host, [alpn]),
    stop: () => child.stop(),
  };
}

export const minimal: Contestant = {
  name: 'minimal',
  about: 'a hand-written intercepting proxy that does nothing but relay, by connections to the server that all share',
  start: ({ port, caFile }, { nodeEnv }) => entrantOf(startProgram('minimal-proxy', [String(port), caFile], nodeEnv)),
};

export const mockttp: Contestant = {
  name: 'mockttp',
  about: 'mockttp by itself: one rule that passes everything through',
  start: ({ port, caFile }, { nodeEnv }) =>
    entrantOf(startProgram('mockttp-proxy', [String(port)], { ...nodeEnv, NODE_EXTRA_CA_CERTS: caFile })),
};

/** Whom mitmdump asks for a password. */
const USER = 'alice';

export const mitmdump: Contestant = {
  name: 'mitmdump',
  about: 'mitmdump with passwords and a script that writes a JSON file for each exchange, as insight-dump does',
  async version() {
    const { stdout } = await promisify(execFile)('mitmdump', ['--version']);
    return /^Mitmproxy: (\S+)/.exec(stdout)?.[1] ?? 'unknown';
  },
  async missing() {
    const reason = await missing('mitmdump', '--version');
    return reason === false ? undefined : `${reason}: apt-get install mitmproxy, or see mitmproxy.org`;
  },
  async start({ port, caFile }, { scratch }) {
    const folder = mkdtempSync(path.join(scratch, 'mitmdump-'));
    // Kept, and its CA with it: one is made at the first start only.
    const confdir = path.join(scratch, 'mitmproxy');
    const listenPort = await freePort();
    const child = new Child(
      'mitmdump',
      [
        ...['-q', '--listen-host', '127.0.0.1', '-p', String(listenPort), '--proxyauth', `${USER}:secret`],
        ...['--set', `confdir=${confdir}`, '--set', `ssl_verify_upstream_trusted_ca=${caFile}`],
        ...['-s', path.join(import.meta.dirname, 'record.py')],
      ],
      { env: { BENCH_SERVER_PORT: String(port), BENCH_RECORDS: path.join(folder, 'records') } },
    );
    await eventually('mitmdump to listen', () => child.hasEnded || canConnect(listenPort), START_LIMIT_MS);
    if (child.hasEnded) throw new Error(`mitmdump ended:\n${child.complaints}`);
    const ca = readFileSync(path.join(confdir, 'mitmproxy-ca-cert.pem'), 'utf8');
    const access: ProxyAccess = { port: listenPort, ca, password: () => 'secret' };
    const records = path.join(folder, 'records');
    return {
      pid: child.pid,
      isNode: false,
      open: (host, alpn) => openTunnel(access, USER, host, [alpn]),
      async recorded() {
        const files = existsSync(records) ? await readdir(records, { recursive: true }) : [];
        return files.filter((file) => file.endsWith('.json')).length;
      },
      stop: () => child.stop(),
    };
  },
};

const START_LIMIT_MS = 60_000;

/** A port that was free a moment ago, for those who cannot say which one they got. */
async function freePort(): Promise<number> {
  const server = net.createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
