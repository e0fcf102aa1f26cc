import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { readAnswers } from '../answers.ts';
import { EXPIRED, issueCertificate, makeAuthority } from '../certificates.ts';
import { ask, basic, openSession, openTunnel, RawConnection } from '../clients.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { configOf } from '../tagging.ts';
import { TELL } from '../telling.ts';

/** What a client got from the proxy. */
interface Refusal {
  readonly status: number;
  /** Of the header that says that it is the proxy's. */
  readonly code: string | undefined;
  readonly body: string;
}

/** The ways in which a client may ask for a host, and get an answer of the proxy's own. */
const WAYS = {
  async 'h1 in a tunnel'(proxy: ProxyProcess, host: string, path: string): Promise<Refusal> {
    const socket = await openTunnel(proxy, 'alice', host);
    let text = '';
    socket.setEncoding('latin1').on('data', (data) => {
      text += data;
    });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    await once(socket, 'close');
    return refusalOf(text);
  },
  async 'h2 in a tunnel'(proxy: ProxyProcess, host: string, path: string): Promise<Refusal> {
    const session = await openSession(proxy, 'alice', host);
    const { status, headers, body } = await ask(session, { ':path': path });
    session.close();
    return { status, code: headers['x-insight-dump'] as string | undefined, body };
  },
  async 'plain http'(proxy: ProxyProcess, host: string, path: string): Promise<Refusal> {
    const connection = await RawConnection.open(proxy.port);
    const { text } = await connection.ask(`GET http://${host}${path} HTTP/1.1`, `Host: ${host}`, login(proxy));
    connection.socket.destroy();
    return refusalOf(text);
  },
  async 'a blind tunnel'(proxy: ProxyProcess, host: string): Promise<Refusal> {
    const connection = await RawConnection.open(proxy.port);
    const authority = `${host.split('.')[0]}.example.com:443`;
    const { text } = await connection.ask(`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, login(proxy));
    connection.socket.destroy();
    return refusalOf(text);
  },
};
type Way = keyof typeof WAYS;

const login = (proxy: ProxyProcess) => `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;

function refusalOf(text: string): Refusal {
  const [answer] = readAnswers(text);
  return { status: answer?.status ?? 0, code: answer?.headers.get('x-insight-dump'), body: answer?.body ?? '' };
}

const BROKEN = 'insight-dump: The server could not be reached, or broke off.\n';
const LATE = 'insight-dump: The server did not answer in time.\n';

/** Such a proxy; `places` says where the first label of a host leads to, as `ADDR:PORT`. */
function startProxy(places: Readonly<Record<string, string>>, upstreamCa?: string): Promise<ProxyProcess> {
  const connectTo = Object.entries(places).flatMap(([label, place]) =>
    ['githubcopilot', 'example'].flatMap((domain) => ['--connect-to', `${label}.${domain}.com::${place}`]),
  );
  return ProxyProcess.start({
    args: [...connectTo, '--flow-detail', '1', ...(upstreamCa === undefined ? [] : ['--upstream-ca', 'ca.pem'])],
    config: configOf(`'tell.ts'`, `allowHosts: ['githubcopilot']`),
    files: { 'tell.ts': TELL, ...(upstreamCa !== undefined && { 'ca.pem': upstreamCa }) },
  });
}

/** What the client, addons, the console and the log are to see of a host that cannot be reached. */
async function assertTold(
  proxy: ProxyProcess,
  label: string,
  way: Way,
  expected: { status: number; codes: RegExp; body: string },
): Promise<void> {
  const path = `/${label}/${way.replaceAll(' ', '-')}`;
  const host = `${label}.githubcopilot.com`;
  const { status, code = '', body } = await WAYS[way](proxy, host, path);
  assert.deepEqual([status, body], [expected.status, expected.body]);
  assert.match(code, expected.codes);
  if (way === 'a blind tunnel') {
    const line = `"level":"debug","message":"${label}.example.com:443 could not be reached: `;
    await eventually(`the log to say ${line}`, () => proxy.read('logs/insight-dump.log').includes(line));
  } else {
    await proxy.said(new RegExp(`flow ${path} error upstream ${code}$`, 'm'));
    const scheme = way === 'plain http' ? 'http' : 'https';
    await proxy.said(new RegExp(`🌐 alice 127\\.0\\.0\\.1 GET ${scheme}://${host}${path} << upstream ${code}: `));
  }
}

describe('a server that cannot be reached', () => {
  let proxy: ProxyProcess;
  before(async () => {
    const closed = net.createServer();
    await once(closed.listen(0, '127.0.0.1'), 'listening');
    const { port } = closed.address() as net.AddressInfo;
    closed.close();
    proxy = await startProxy({
      // RFC 6761, section 6.4: no such name, ever.
      unknown: 'nowhere.invalid:443',
      refused: `127.0.0.1:${port}`,
      // The loopback network's address for all: to connect to it is refused without a packet.
      unreachable: '127.255.255.255:443',
    });
  });
  after(() => proxy?.stop());

  for (const [label, codes] of [
    ['unknown', /^(?:ENOTFOUND|EAI_AGAIN)$/],
    ['refused', /^ECONNREFUSED$/],
    ['unreachable', /^(?:ENETUNREACH|EHOSTUNREACH|EADDRNOTAVAIL|EACCES)$/],
  ] as const) {
    for (const way of Object.keys(WAYS) as Way[]) {
      it(`gives the client a 502, and all are told why: ${label}, by ${way}`, () =>
        assertTold(proxy, label, way, { status: 502, codes, body: BROKEN }));
    }
  }
});

/** Listens, and then does nothing more: no connection is ever accepted. It says its port first. */
const DEAF = `
  const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
    require('node:fs').writeSync(1, String(server.address().port));
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  });
`;
/** More than wait to be accepted by such a server; those that come later hang. */
const WAITING = 4;

describe('a server that does not get to speak', { concurrency: true }, () => {
  let proxy: ProxyProcess;
  const ending: (() => void)[] = [];
  before(async () => {
    const silent = net.createServer((socket) => socket.on('error', () => {}).resume());
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const deaf = spawn(process.execPath, ['-e', DEAF], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [port] = await once(deaf.stdout, 'data');
    const waiting = Array.from({ length: WAITING }, () => net.connect(Number(port), '127.0.0.1').on('error', () => {}));
    ending.push(
      () => silent.close(),
      () => deaf.kill('SIGKILL'),
      () => {
        for (const socket of waiting) socket.destroy();
      },
    );
    proxy = await startProxy({
      silent: `127.0.0.1:${(silent.address() as net.AddressInfo).port}`,
      deaf: `127.0.0.1:${port}`,
    });
  });
  after(async () => {
    await proxy?.stop();
    for (const end of ending) end();
  });

  // All at once: each takes as long as a connection may.
  for (const [what, label, ways] of [
    ['accepts no connection', 'deaf', Object.keys(WAYS) as Way[]],
    ['begins no TLS', 'silent', ['h1 in a tunnel', 'h2 in a tunnel']],
  ] as const) {
    for (const way of ways) {
      it(`as it ${what}, gives the client a 504, and all are told why: by ${way}`, () =>
        assertTold(proxy, label, way, { status: 504, codes: /^(?:connectTimeout|ETIMEDOUT)$/, body: LATE }));
    }
  }
});

describe('a server whose TLS is wrong', () => {
  const servers: (http2.Http2SecureServer | net.Server)[] = [];
  let proxy: ProxyProcess;
  before(async () => {
    const hosts = ['*.githubcopilot.com'];
    const trusted = await makeAuthority('Trusted CA');
    const places: Record<string, string> = {};
    const listen = async (label: string, server: (typeof servers)[number]) => {
      servers.push(server);
      await once(server.listen(0, '127.0.0.1'), 'listening');
      places[label] = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    };
    for (const [label, { key, cert }] of Object.entries({
      good: await issueCertificate(trusted, hosts),
      expired: await issueCertificate(trusted, hosts, EXPIRED()),
      misnamed: await issueCertificate(trusted, ['other.example.com']),
      selfsigned: await makeAuthority('api.githubcopilot.com'),
      untrusted: await issueCertificate(await makeAuthority('Unknown CA'), hosts),
    })) {
      const server = http2.createSecureServer({ key, cert, allowHTTP1: true }, (_request, response) => {
        response.end('served');
      });
      await listen(
        label,
        server.on('tlsClientError', () => {}),
      );
    }
    const saying = (text: string) =>
      net.createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(text)));
    await listen('closing', saying(''));
    await listen('clear', saying('220 mail\r\n'));
    proxy = await startProxy(places, trusted.cert);
  });
  after(async () => {
    await proxy?.stop();
    for (const server of servers) server.close();
  });

  for (const [label, codes] of [
    ['expired', /^CERT_HAS_EXPIRED$/],
    ['misnamed', /^ERR_TLS_CERT_ALTNAME_INVALID$/],
    ['selfsigned', /^DEPTH_ZERO_SELF_SIGNED_CERT$/],
    ['untrusted', /^(?:UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)$/],
    ['closing', /^ECONNRESET$/],
    ['clear', /^(?:EPROTO|ERR_SSL_WRONG_VERSION_NUMBER)$/],
  ] as const) {
    for (const way of ['h1 in a tunnel', 'h2 in a tunnel'] as const) {
      it(`gives the client a 502, and all are told why: ${label}, by ${way}`, () =>
        assertTold(proxy, label, way, { status: 502, codes, body: BROKEN }));
    }
  }

  it('is served from where its certificate is good, and from anywhere once none is verified', async () => {
    const statuses = async (label: string) => {
      const host = `${label}.githubcopilot.com`;
      return [await WAYS['h1 in a tunnel'](proxy, host, '/'), await WAYS['h2 in a tunnel'](proxy, host, '/')].map(
        ({ status }) => status,
      );
    };
    assert.deepEqual(await statuses('good'), [200, 200]);
    proxy.write('addons.config.ts', configOf(`'tell.ts'`, `allowHosts: ['githubcopilot'], sslInsecure: true`));
    await proxy.said(/addons\.config\.ts applied/);
    for (const label of ['expired', 'misnamed', 'selfsigned', 'untrusted'])
      assert.deepEqual(await statuses(label), [200, 200], label);
  });
});
