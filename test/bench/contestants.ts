import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { recordFiles } from '../../core/copilot/record-files.ts';
import { missing, openTunnel, type ProxyAccess } from '../clients.ts';
import { leadingTo } from '../own-upstream.ts';
import { eventually, makeFolder, ProxyProcess } from '../proxy-process.ts';
import { Child, type Listening } from './child.ts';
import type { Contestant, Entrant } from './contestant.ts';
import { startProgram } from './programs.ts';

/** Who asks, unless a work says otherwise. */
const USER = 'alice';

const direct: Contestant = {
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

const minimal: Contestant = {
  name: 'minimal',
  about: 'a hand-written intercepting proxy that does nothing but relay, by connections to the server that all share',
  start: ({ port, caFile }, { nodeEnv }) => entrantOf(startProgram('minimal-proxy', [String(port), caFile], nodeEnv)),
};

const mockttp: Contestant = {
  name: 'mockttp',
  about: 'mockttp by itself: one rule that passes everything through',
  start: ({ port, caFile }, { nodeEnv }) =>
    entrantOf(startProgram('mockttp-proxy', [String(port)], { ...nodeEnv, NODE_EXTRA_CA_CERTS: caFile })),
};

/** insight-dump with this config; who may use it has a password where `user` says so. */
function insightDump(name: string, about: string, config: string, user?: string): Contestant {
  return {
    name,
    about,
    async start(server, { nodeEnv }) {
      const proxy = await ProxyProcess.start({ ...leadingTo(server), config, env: nodeEnv });
      const passwords =
        user === undefined ? {} : (JSON.parse(proxy.read('logs/user_auth.json')) as Record<string, string>);
      const access: ProxyAccess = { port: proxy.port, ca: proxy.ca, password: (who) => passwords[who] ?? '' };
      return {
        pid: proxy.pid,
        isNode: true,
        open: (host, alpn, who = user) => openTunnel(access, who, host, [alpn]),
        ...(user !== undefined && { recorded: () => countRecords(proxy.path('logs')) }),
        stop: () => proxy.stop().then(() => {}),
      };
    },
  };
}

async function countRecords(logs: string): Promise<number> {
  let count = 0;
  for await (const file of recordFiles(logs)) if (!file.isPartial) count += 1;
  return count;
}

const NO_ADDONS = 'export default { addons: [], flowDetail: 0 };';

const mitmdump: Contestant = {
  name: 'mitmdump',
  about: 'mitmdump with passwords and a script that writes a JSON file for each exchange, as insight-dump does',
  async missing() {
    const reason = await missing('mitmdump', '--version');
    return reason === false ? undefined : `${reason}: apt-get install mitmproxy, or see mitmproxy.org`;
  },
  async start({ port, caFile }) {
    const folder = makeFolder();
    const confdir = path.join(folder, 'conf');
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
      open: (host, alpn, user = USER) => openTunnel(access, user, host, [alpn]),
      async recorded() {
        const files = existsSync(records) ? await readdir(records, { recursive: true }) : [];
        return files.filter((file) => file.endsWith('.json')).length;
      },
      async stop() {
        await child.stop();
        await rm(folder, { recursive: true, force: true });
      },
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

/** All of them, in the order in which they take turns. */
export const CONTESTANTS: readonly Contestant[] = [
  direct,
  minimal,
  mockttp,
  insightDump('insight-dump, no addon', 'insight-dump by itself', NO_ADDONS),
  insightDump(
    'insight-dump, all addons',
    'insight-dump with auth, privacy, filter, usage and metrics, as `addons.config.ts` has it: each exchange is recorded and counted',
    readFileSync(path.join(import.meta.dirname, '../../addons.config.ts'), 'utf8'),
    USER,
  ),
  mitmdump,
];
