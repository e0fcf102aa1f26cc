import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { ask, basic, curl, openSession, openTunnel, RawConnection } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { END_HEADERS, END_STREAM, FRAME, frameOf, PREFACE } from '../http2-frames.ts';
import { isKeptAlive } from '../process-stats.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

const CONFIG = `export default { addons: ['addons/auth.ts', 'tell.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0 };`;

/** Tells of each connection; turns some away. */
const SCRIPT = `
  import { setTimeout as sleep } from 'node:timers/promises';
  export async function clientConnected(client, ctx) {
    ctx.log.info('connected ' + client.address + ' ' + client.port + ' ' + client.user);
    await sleep(50);
    if (ctx.state.closed) client.close();
  }
  export const state = () => ({ closed: false });
  export function clientDisconnected(client, ctx) { ctx.log.info('disconnected ' + client.port + ' ' + client.user); }
  export function connect(tunnel, ctx) {
    if (tunnel.host === 'close.example.com') ctx.state.closed = true;
    if (tunnel.host === 'open.example.com') ctx.state.closed = false;
  }
  export function tlsFailed(tunnel, error, ctx) {
    ctx.log.info('failed ' + tunnel.client.user + ' ' + tunnel.host + ':' + tunnel.port + ' ' + error.cause + ' | ' + error.message);
  }
`;

describe('a connection', () => {
  let proxy: ProxyProcess;
  setStage({ config: CONFIG, files: { 'tell.ts': SCRIPT } }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  it('is told of when it opens and when it closes, with the user that showed', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const [, port] = await proxy.said(/connected 127\.0\.0\.1 (\d+) undefined/);
    assert.doesNotMatch(proxy.output, new RegExp(`disconnected ${port}`));
    session.destroy();
    await proxy.said(new RegExp(`disconnected ${port} alice`));
  });

  it('is kept alive by TCP, which tells when the machine of its client has vanished', async () => {
    const socket = net.connect(proxy.port, '127.0.0.1');
    await once(socket, 'connect');
    const { localPort = 0 } = socket;
    await eventually('kept alive', () => isKeptAlive(proxy.port, localPort));
    socket.destroy();
  });

  it('loses nothing of what its client sends while the hook takes its time', async () => {
    const connection = await RawConnection.open(proxy.port);
    const { status } = await connection.ask('CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443');
    assert.equal(status, 407);
    // The same connection once more, which is not a new one.
    const since = proxy.output.length;
    assert.equal((await connection.ask('CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443')).status, 407);
    assert.doesNotMatch(proxy.output.slice(since), /connected/);
    connection.socket.destroy();
  });

  it('can be turned away before anything is read from it', async () => {
    const ask = (host: string) =>
      curl(proxy, undefined, '-o', '/dev/null', '-w', '%{http_connect}', `https://${host}/`);
    assert.equal((await ask('close.example.com')).stdout, '407');
    const socket = net.connect(proxy.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('CONNECT open.example.com:443 HTTP/1.1\r\n\r\n');
    let received = '';
    socket.on('data', (data) => {
      received += data;
    });
    await once(socket, 'close');
    assert.equal(received, '');
  });
});

describe('a connection of HTTP/2', () => {
  let proxy: ProxyProcess;
  let fake: FakeCopilot;
  setStage({ config: CONFIG, files: { 'tell.ts': SCRIPT } }, undefined, (stage) => {
    ({ proxy, fake } = stage);
  });

  it('whose client breaks the rules, and then leaves, is told of as closed', async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST, ['h2']);
    const [, port] = await proxy.said(/connected 127\.0\.0\.1 (\d+) undefined/);
    // GET, https, / and the authority, by HPACK (RFC 7541, appendix A).
    const head = Buffer.concat([Buffer.from([0x82, 0x87, 0x84, 0x41, API_HOST.length]), Buffer.from(API_HOST)]);
    socket.resume().write(PREFACE);
    socket.write(frameOf(FRAME.settings, 0, 0));
    socket.write(frameOf(FRAME.headers, END_HEADERS | END_STREAM, 1, head));
    await eventually('the request', () => fake.requests.length > 0);
    // Pings have eight bytes (RFC 9113, section 6.7).
    socket.write(frameOf(FRAME.ping, 0, 0, Buffer.alloc(7)));
    // It says goodbye.
    await once(socket, 'data');
    socket.destroy();
    await proxy.said(new RegExp(`disconnected ${port} alice`));
  });
});

describe('a connection that its client has reset before it was taken', () => {
  setStage({ config: CONFIG, files: { 'tell.ts': SCRIPT } }, undefined, (stage) => {
    ({ proxy } = stage);
  });
  let proxy: ProxyProcess;

  it('has no address any more, and no addon is told of it', async () => {
    const wish = `CONNECT ${API_HOST}:443 HTTP/1.1\r\nProxy-Authorization: ${basic('alice', proxy.password('alice'))}\r\n\r\n`;
    proxy.kill('SIGSTOP');
    const socket = net.connect(proxy.port, '127.0.0.1');
    await new Promise((resolve) => socket.write(wish, resolve));
    socket.resetAndDestroy();
    await once(socket, 'close');
    proxy.kill('SIGCONT');
    const session = await openSession(proxy, 'alice', API_HOST);
    assert.equal((await ask(session, { ':path': '/' })).status, 200);
    session.close();
    assert.deepEqual(proxy.output.match(/^.* connected .*$/gm)?.length, 1, proxy.output);
    assert.match(proxy.output, /alice is here, from 127\.0\.0\.1/);
  });
});

describe('a connection that an addon closes in the middle of what it receives on it', () => {
  const HOOKS = ['requestHeaders', 'request', 'responseHeaders', 'response'] as const;
  const script = `
    const clients = new Map();
    export function clientConnected(client) { clients.set(client.id, client); }
    const closing = (hook) => (flow) => { if (flow.request.path === '/' + hook) clients.get(flow.client.id).close(); };
    ${HOOKS.map((hook) => `export const ${hook} = closing('${hook}');`).join('\n')}
  `;
  let proxy: ProxyProcess;
  setStage({ config: CONFIG, files: { 'tell.ts': script } }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  for (const hook of HOOKS) {
    it(`ends with all its requests, and nobody else is harmed: ${hook}`, async () => {
      const session = await openSession(proxy, 'alice', API_HOST);
      const streams = Array.from({ length: 20 }, () =>
        session.request({ ':method': 'POST', ':path': `/${hook}` }).on('error', () => {}),
      );
      for (const stream of streams) stream.resume().end('x'.repeat(1_000));
      await Promise.all([session, ...streams].map((each) => new Promise((closed) => each.once('close', closed))));
      const other = await openSession(proxy, 'alice', API_HOST);
      assert.equal((await ask(other, { ':path': '/' })).status, 200);
      other.close();
    });
  }
});

describe('a client that does not trust the CA', () => {
  let proxy: ProxyProcess;
  setStage({ config: CONFIG, files: { 'tell.ts': SCRIPT } }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  it('is told of to addons each time, with who, where and what to do', async () => {
    for (let i = 0; i < 2; i++) {
      const raw = net.connect(proxy.port, '127.0.0.1');
      const login = basic('alice', proxy.password('alice'));
      raw.write(`CONNECT ${API_HOST}:443 HTTP/1.1\r\nProxy-Authorization: ${login}\r\n\r\n`);
      await once(raw, 'data');
      const secure = tls.connect({ socket: raw, servername: API_HOST });
      await once(secure, 'error');
      raw.destroy();
    }
    const told = () =>
      proxy.output.match(
        /failed alice api\.[\w.]+:443 .* \| alice at 127\.0\.0\.1 refused our certificate for api\..*its editor has to trust .*ca\.pem/g,
      );
    await eventually('both', () => told()?.length === 2);
  });
});

describe('a client that refuses our certificate for good', () => {
  it('is left alone with that host for a while, if the config says so', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const config = (ms: number) => `export default { addons: [], flowDetail: 1, blindAfterRefusalMs: ${ms} };`;
    const proxy = await ProxyProcess.start({ upstream: fake, config: config(0) });
    t.after(() => proxy.stop());
    const pinned = ['--cacert', proxy.path('upstream-ca.pem'), '-o', '/dev/null', '-w', '%{http_code}'];
    const ask = async (...args: readonly string[]) =>
      (await curl(proxy, undefined, ...args, `https://${API_HOST}/x`)).code;
    const refused = 60;
    for (let i = 0; i < 2; i++) assert.equal(await ask(...pinned), refused);
    proxy.write('addons.config.ts', config(1_500));
    await proxy.said(/addons\.config\.ts applied/);
    assert.equal(await ask(...pinned), refused);
    await eventually('its tunnel is blind', async () => (await ask(...pinned)) === 0);
    await eventually('it is looked into again', async () => (await ask('-o', '/dev/null')) === 0);
  });
});

describe('more connections than there can be', () => {
  let proxy: ProxyProcess;
  setStage({ openFiles: 160 }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  it('cost those their place that have been idle longest; whoever works goes on, and new ones are served', async () => {
    const working = await openSession(proxy, 'alice', API_HOST);
    const idle = Array.from({ length: 200 }, () => net.connect(proxy.port, '127.0.0.1'));
    let closed = 0;
    for (const socket of idle) {
      socket.on('error', () => {});
      socket.once('close', () => {
        closed += 1;
      });
    }
    await proxy.said(/48 clients are connected, which is the limit: idle ones are closed \(see ulimit -n\)/);
    await eventually('the others are closed', () => closed >= 150);
    const { stdout } = await curl(proxy, 'bob', '-o', '/dev/null', '-w', '%{http_code}', `https://${API_HOST}/models`);
    assert.equal(stdout, '200');
    assert.equal((await ask(working, { ':path': '/models' })).status, 200);
    working.close();
    for (const socket of idle) socket.destroy();
  });
});

describe('a client that is slow', () => {
  let proxy: ProxyProcess;
  setStage({}, undefined, (stage) => {
    ({ proxy } = stage);
  });
  /** The head has to be here within 30 s, which is looked at every 5 s. */
  const LIMIT_MS = 40_000;

  it('to say what it wants is cut off; one that has asked and is idle stays', async () => {
    const patient = await RawConnection.open(proxy.port);
    assert.equal((await patient.ask('GET http://example.com/ HTTP/1.1', 'Host: example.com')).status, 407);
    const began = performance.now();
    const closedAfterMs = ['', 'CONNECT exa'].map(async (begin) => {
      const socket = net.connect(proxy.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.on('data', () => {});
      socket.write(begin);
      const dripping = setInterval(() => begin !== '' && socket.write('m'), 1_000);
      await once(socket, 'close');
      clearInterval(dripping);
      return performance.now() - began;
    });
    for (const closed of closedAfterMs) {
      const ms = await closed;
      assert.ok(ms > 25_000 && ms < LIMIT_MS, `${ms}`);
    }
    assert.equal((await patient.ask('GET http://example.com/ HTTP/1.1', 'Host: example.com')).status, 407);
    patient.socket.destroy();
  });
});
