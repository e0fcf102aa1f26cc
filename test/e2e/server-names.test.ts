import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { ask, clientHello, connectTo, openTunnel, RawConnection } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { makeCredentials, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { startHttpParent } from '../parent-proxies.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { inRecords } from '../tls-hello.ts';

// Addresses for documentation (RFC 5737, RFC 3849): nobody is there but whom --connect-to puts there.
const FIRST = '192.0.2.1';
const SECOND = '192.0.2.2';
const FIRST_V6 = '[2001:db8::1]';
const ECHO = '192.0.2.3';
const BANNER = '192.0.2.4';
const RESETS = '192.0.2.7';
const PASSED = '192.0.2.5';
const INSPECTED = '192.0.2.6';
const TELEMETRY = 'telemetry.individual.githubcopilot.com';

const LOOK = `
  export function connect(tunnel, ctx) {
    if (tunnel.host === '${PASSED}') tunnel.passthrough();
    if (tunnel.host === '${INSPECTED}' || tunnel.host === '127.0.0.1') tunnel.intercept();
  }
  export function tlsFailed(tunnel, error, ctx) {
    ctx.log.info(['tlsFailed', tunnel.host, tunnel.serverName].join(' '));
  }
  export function responseHeaders(flow) { flow.response.headers.set('x-seen', flow.request.url); }
`;
const config = (more = '') => `export default { addons: ['look.ts'], flowDetail: 0, ${more} };`;

describe('the server name in a tunnel', () => {
  let first: OwnUpstream;
  let second: OwnUpstream;
  let echo: net.Server;
  let banner: net.Server;
  let resets: net.Server;
  let proxy: ProxyProcess;

  before(async () => {
    const credentials = await makeCredentials();
    const says = (name: string) => () =>
      startOwnUpstream((request, response) => {
        const { servername } = request.socket as tls.TLSSocket & { servername?: string };
        response.end(`${name} ${servername}`);
      }, credentials);
    [first, second] = await Promise.all([says('first')(), says('second')()]);
    echo = await listen((socket) => void socket.pipe(socket));
    banner = await listen((socket) => void socket.end('SSH-2.0-server\r\n'));
    resets = await listen((socket) => void setTimeout(() => socket.resetAndDestroy(), 50));
    const leads: [string, number][] = [
      ...[FIRST, FIRST_V6, PASSED, INSPECTED, API_HOST, TELEMETRY, 'example.com'].map((host): [string, number] => [
        host,
        first.port,
      ]),
      [SECOND, second.port],
      [ECHO, portOf(echo)],
      [BANNER, portOf(banner)],
      [RESETS, portOf(resets)],
    ];
    proxy = await ProxyProcess.start({
      args: [
        ...leads.flatMap(([host, port]) => ['--connect-to', `${host}::127.0.0.1:${port}`]),
        ...['--upstream-ca', 'upstream-ca.pem'],
      ],
      config: config(),
      files: { 'look.ts': LOOK, 'upstream-ca.pem': first.ca },
    });
  });
  after(async () => {
    await proxy?.stop();
    await Promise.all([first?.close(), second?.close()]);
    for (const server of [echo, banner, resets]) server?.close();
  });

  /** Speaks TLS in a tunnel. What the client sees: who signed its certificate, and what it is answered. */
  const see = async (host: string, servername: string | undefined, wrap = (socket: net.Socket): Duplex => socket) => {
    const raw = wrap(await connectTo(proxy, undefined, `${host}:443`));
    const secure = tls.connect({ socket: raw, ca: [proxy.ca, first.ca], ...nameOf(servername) });
    await once(secure, 'secureConnect');
    const { issuer, subjectaltname } = secure.getPeerCertificate();
    secure.write('GET /x HTTP/1.1\r\nHost: host.example\r\nConnection: close\r\n\r\n');
    let text = '';
    for await (const chunk of secure) text += chunk;
    const [, seen] = /^x-seen: (.*)\r$/im.exec(text) ?? [];
    const [, by, asked] = /(first|second) (\S+)/.exec(text) ?? [];
    return { isInside: issuer.CN === 'insight-dump', names: subjectaltname, seen, by, asked };
  };
  const insideAs = (name: string, by = 'first') => ({
    isInside: true,
    names: `DNS:${name}`,
    seen: `https://${name}/x`,
    by,
    asked: name,
  });
  const isBlind = async (host: string, servername: string | undefined) => {
    const { isInside, seen, by, asked } = await see(host, servername);
    assert.deepEqual([isInside, seen, by, asked], [false, undefined, 'first', String(servername ?? false)]);
  };

  it('has a tunnel to an address looked into, with a certificate for it, and is what the server is asked for', async () => {
    assert.deepEqual(await see(FIRST, API_HOST), insideAs(API_HOST));
  });

  it('has one to an IPv6 address looked into', async () => {
    assert.deepEqual(await see(FIRST_V6, API_HOST), insideAs(API_HOST));
  });

  it('has one looked into in which HTTP/2 is spoken', async () => {
    const socket = await openTunnel(proxy, undefined, FIRST, ['h2'], API_HOST);
    const session = http2.connect(`https://${API_HOST}`, { createConnection: () => socket });
    const { status, headers, body } = await ask(session, { ':path': '/x' });
    assert.deepEqual([status, headers['x-seen'], body], [200, `https://${API_HOST}/x`, `first ${API_HOST}`]);
    session.close();
  });

  it('counts in any case, and with a trailing dot; so does the host of a CONNECT', async () => {
    const odd = 'API.Individual.GitHubCopilot.COM.';
    for (const [host, servername] of [
      [FIRST, odd],
      [odd, API_HOST],
      [odd, odd],
    ] as const) {
      const { isInside, seen, asked } = await see(host, servername);
      assert.deepEqual([isInside, seen, asked], [true, `https://${API_HOST}/x`, API_HOST], `${host} ${servername}`);
    }
  });

  it('rules a tunnel out that its host would have looked into', async () => {
    await isBlind(API_HOST, TELEMETRY);
  });

  it('does not rule one in that its host rules out', async () => {
    await isBlind(TELEMETRY, API_HOST);
  });

  it('may be another than the host: one that is allowed is enough, and the host is what is connected to', async () => {
    assert.deepEqual(await see('example.com', API_HOST), insideAs(API_HOST));
    assert.deepEqual(await see(API_HOST, 'example.com'), insideAs('example.com'));
  });

  it('leaves the origin’s own certificate to the client in all other tunnels', async () => {
    await isBlind('example.com', 'example.com');
    await isBlind(FIRST, 'example.com');
    await isBlind(FIRST, undefined);
  });

  it('does not have clients share connections to different addresses', async () => {
    for (let i = 0; i < 3; i++) {
      for (const [host, by] of [
        [FIRST, 'first'],
        [SECOND, 'second'],
      ] as const) {
        const socket = await openTunnel(proxy, undefined, host, [], API_HOST);
        // Kept alive, so that the proxy keeps its connection too.
        socket.write(`GET /x HTTP/1.1\r\nHost: ${API_HOST}\r\n\r\n`);
        await eventually(`an answer by ${by}`, async () => `${(await once(socket, 'data'))[0]}`.includes(by));
        socket.destroy();
      }
    }
  });

  it('is nothing that a server which speaks first has to wait for', async () => {
    const socket = await connectTo(proxy, undefined, `${BANNER}:443`);
    assert.equal(await textOf(socket), 'SSH-2.0-server\r\n');
    socket.destroy();
  });

  it('is not waited for in what is no TLS', async () => {
    // The last one begins like TLS, with a record of a length that cannot be.
    for (const text of ['EHLO example.com\r\n', '\x00', '\x16', '\x16\x03\x01\xff\xff']) {
      const socket = await connectTo(proxy, undefined, `${ECHO}:443`);
      socket.end(text, 'latin1');
      assert.equal(await textOf(socket), text, text);
    }
  });

  it('is found in a ClientHello of whatever size, in packets of whatever size', async () => {
    for (const pieceBytes of [1, 7, 500]) {
      assert.deepEqual(await see(FIRST, API_HOST, inPieces(pieceBytes)), insideAs(API_HOST), String(pieceBytes));
    }
    assert.deepEqual(await see(FIRST, API_HOST, inManyRecords), insideAs(API_HOST));
    // As large as with post-quantum keys, and larger.
    for (const count of [60, 500]) {
      const alpn = Array.from({ length: count }, (_, i) => `protocol-with-a-long-name-${i}`);
      const socket = await openTunnel(proxy, undefined, FIRST, [...alpn, 'http/1.1'], API_HOST);
      assert.equal(socket.getPeerCertificate().issuer.CN, 'insight-dump');
      socket.destroy();
    }
  });

  it('may come late: a client that is silent in a tunnel keeps it', async () => {
    const silent = await connectTo(proxy, undefined, `${ECHO}:443`);
    await see(FIRST, API_HOST);
    silent.write('late');
    assert.equal(String((await once(silent, 'data'))[0]), 'late');
    silent.destroy();
  });

  it('may never come: after a while, half a ClientHello is relayed', async () => {
    const half = (await clientHello(API_HOST)).subarray(0, 100);
    const socket = await connectTo(proxy, undefined, `${ECHO}:443`);
    socket.write(half);
    assert.deepEqual((await once(socket, 'data'))[0], half);
    socket.destroy();
  });

  it('never came: a client that leaves takes the connection to the server with it', async () => {
    const half = (await clientHello(API_HOST)).subarray(0, 100);
    for (const sent of ['', half]) {
      const socket = await connectTo(proxy, undefined, `${ECHO}:443`);
      socket.write(sent);
      await eventually('it is connected', async () => (await connectionsOf(echo)) > 0);
      socket.resetAndDestroy();
      await eventually('it is not any more', async () => (await connectionsOf(echo)) === 0);
    }
  });

  it('never came: a server that breaks off takes the connection to the client with it', async () => {
    const half = (await clientHello(API_HOST)).subarray(0, 100);
    for (const sent of ['', half]) {
      const socket = await connectTo(proxy, undefined, `${RESETS}:443`);
      socket.write(sent);
      const closed = once(socket, 'close');
      socket.resume();
      await closed;
    }
  });

  it('leads to no private address', async () => {
    const connection = await RawConnection.open(proxy.port);
    const { status, text } = await connection.ask(`CONNECT [::1]:${first.port} HTTP/1.1`, 'Host: x');
    assert.equal(status, 403);
    assert.match(text, /x-insight-dump: privateTarget/);
    connection.socket.destroy();
    // An addon has this one looked into: what is in it leads nowhere, whatever its name.
    const raw = await connectTo(proxy, undefined, `127.0.0.1:${first.port}`);
    const socket = tls.connect({ socket: raw, servername: API_HOST, ca: proxy.ca });
    socket.write('GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    assert.match(await textOf(socket), /^HTTP\/1\.1 403 [\s\S]*x-insight-dump: privateTarget/);
  });

  it('is not looked up: the host that the client asked for is connected to', async () => {
    // No --connect-to is for this name, and it would lead to this machine.
    proxy.write('addons.config.ts', config(`allowHosts: ['^localhost:443$']`));
    await proxy.said(/addons\.config\.ts applied/);
    assert.deepEqual(await see(FIRST, 'localhost'), insideAs('localhost'));
    const since = proxy.output.length;
    proxy.write('addons.config.ts', config());
    await proxy.said(/addons\.config\.ts applied/, since);
  });

  it('counts less than what an addon has decided', async () => {
    await isBlind(PASSED, API_HOST);
    assert.deepEqual(await see(INSPECTED, 'example.com'), insideAs('example.com'));
    assert.deepEqual(await see(INSPECTED, TELEMETRY), insideAs(TELEMETRY));
  });

  it('counts by the config as it was saved last; tunnels that are open go on', async () => {
    const open = await openTunnel(proxy, undefined, FIRST, [], API_HOST);
    const becomes = (isInside: boolean) =>
      eventually(`${isInside}`, async () => (await see(FIRST, API_HOST)).isInside === isInside);
    for (const ruled of [`ignoreHosts: ['^API\\\\.']`, `allowHosts: []`]) {
      proxy.write('addons.config.ts', config(ruled));
      await becomes(false);
      await isBlind(API_HOST, API_HOST);
      open.write(`GET /x HTTP/1.1\r\nHost: ${API_HOST}\r\n\r\n`);
      assert.match(String((await once(open, 'data'))[0]), /x-seen/);
      proxy.write('addons.config.ts', config());
      await becomes(true);
    }
    open.destroy();
  });

  it('is what a client is left alone with that has refused a certificate for it', async () => {
    proxy.write('addons.config.ts', config('blindAfterRefusalMs: 600_000'));
    const pinned = async (host: string) => {
      const raw = await connectTo(proxy, undefined, `${host}:443`);
      const secure = tls.connect({ socket: raw, ca: first.ca, servername: API_HOST });
      const trusts = await once(secure, 'secureConnect').then(
        () => true,
        () => false,
      );
      secure.destroy();
      return trusts;
    };
    await eventually('its tunnels are blind', () => pinned(FIRST));
    await proxy.said(/refused our certificate for api\.individual\.githubcopilot\.com/);
    await proxy.said(/tlsFailed 192\.0\.2\.1 api\.individual\.githubcopilot\.com/);
    assert.ok(await pinned(SECOND));
    assert.ok(await pinned(API_HOST));
    assert.ok((await see(FIRST, 'proxy.individual.githubcopilot.com')).isInside);
  });
});

describe('behind another proxy', () => {
  it('it is the address that this one is asked for', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const parent = await startHttpParent(fake);
    t.after(() => parent.close());
    const proxy = await ProxyProcess.start({
      args: ['--upstream', `http://127.0.0.1:${parent.port}`, '--upstream-ca', 'ca.pem'],
      config: config(),
      files: { 'look.ts': LOOK, 'ca.pem': fake.ca },
    });
    t.after(() => proxy.stop());
    const socket = await openTunnel(proxy, undefined, FIRST, [], API_HOST);
    socket.write(`GET /models HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: close\r\n\r\n`);
    assert.match(await textOf(socket), /^HTTP\/1\.1 200 OK/);
    // Once to see whether it is there, and once for the request.
    assert.deepEqual(parent.asked, [`CONNECT ${FIRST}:443`, `CONNECT ${FIRST}:443`]);
  });
});

function nameOf(servername: string | undefined) {
  // Without a name, Node checks the certificate against localhost, which is among its names.
  return servername === undefined ? { servername: '' } : { servername };
}

async function listen(onConnection: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

function connectionsOf(server: net.Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
}

/** All that comes, to its end. */
async function textOf(stream: Duplex): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('latin1');
}

/** A socket that sends what is written first, the ClientHello, in packets of that size. */
function inPieces(pieceBytes: number): (socket: net.Socket) => Duplex {
  return (socket) => sendingFirst(socket, (hello) => piecesOf(hello, pieceBytes));
}

/** One that sends the ClientHello in many TLS records. */
function inManyRecords(socket: net.Socket): Duplex {
  return sendingFirst(socket, (hello) => [inRecords(...piecesOf(hello.subarray(5), 30))]);
}

function piecesOf(bytes: Buffer, pieceBytes: number): Buffer[] {
  const count = Math.ceil(bytes.length / pieceBytes);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes));
}

function sendingFirst(socket: net.Socket, packetsOf: (first: Buffer) => readonly Buffer[]): Duplex {
  let hasBegun = false;
  const wrapped = new Duplex({
    read() {},
    async write(chunk: Buffer, _encoding, done) {
      const packets = hasBegun ? [chunk] : packetsOf(chunk);
      hasBegun = true;
      for (const packet of packets) await new Promise((sent) => socket.write(packet, sent));
      done();
    },
  });
  socket.on('data', (chunk) => wrapped.push(chunk)).on('end', () => wrapped.push(null));
  socket.resume();
  return wrapped;
}
