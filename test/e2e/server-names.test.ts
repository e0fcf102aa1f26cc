import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { ask, connectTo, openTunnel, RawConnection } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { FIRST, FIRST_V6, insideAs, SECOND, startNamed, startProxyFor, textOf, viewOf } from '../named-upstream.ts';
import { makeCredentials, type OwnUpstream } from '../own-upstream.ts';
import { startHttpParent } from '../parent-proxies.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';

const PASSED = '192.0.2.5';
const INSPECTED = '192.0.2.6';
const TELEMETRY = 'telemetry.individual.githubcopilot.com';

const DECIDE = `
  export function connect(tunnel, ctx) {
    if (tunnel.host === '${PASSED}') tunnel.passthrough();
    if (tunnel.host === '${INSPECTED}' || tunnel.host === '127.0.0.1') tunnel.intercept();
  }
`;
const config = (more = '') => `export default { addons: ['look.ts'], flowDetail: 0, ${more} };`;

describe('the server name in a tunnel', () => {
  let first: OwnUpstream;
  let second: OwnUpstream;
  let proxy: ProxyProcess;
  before(async () => {
    const credentials = await makeCredentials();
    first = await startNamed('first', credentials);
    second = await startNamed('second', credentials);
    const atFirst = [FIRST, FIRST_V6, PASSED, INSPECTED, API_HOST, TELEMETRY, 'example.com'];
    const ports = { ...Object.fromEntries(atFirst.map((host) => [host, first.port])), [SECOND]: second.port };
    proxy = await startProxyFor(ports, first.ca, { config: config(), more: DECIDE });
  });
  after(async () => {
    await proxy?.stop();
    await Promise.all([first?.close(), second?.close()]);
  });

  const isBlind = async (host: string, servername: string | undefined) => {
    const { isInside, seen, by, asked } = await viewOf(proxy, host, servername);
    assert.deepEqual([isInside, seen, by, asked], [false, undefined, 'first', String(servername ?? false)]);
  };

  it('has a tunnel to an address looked into, with a certificate for it, and is what the server is asked for', async () => {
    assert.deepEqual(await viewOf(proxy, FIRST, API_HOST), insideAs(API_HOST));
  });

  it('has one to an IPv6 address looked into', async () => {
    assert.deepEqual(await viewOf(proxy, FIRST_V6, API_HOST), insideAs(API_HOST));
  });

  it('has one looked into in which HTTP/2 is spoken', async () => {
    const socket = await openTunnel(proxy, undefined, FIRST, ['h2'], API_HOST);
    const session = http2.connect(`https://${API_HOST}`, { createConnection: () => socket });
    const { status, headers, body } = await ask(session, { ':path': '/x' });
    assert.deepEqual([status, headers['x-seen'], body], [200, `https://${API_HOST}/x`, `first ${API_HOST}`]);
    session.close();
  });

  it('has one looked into in which another protocol is asked for', async () => {
    const socket = await openTunnel(proxy, undefined, FIRST, [], API_HOST);
    const wish = 'Connection: Upgrade, close\r\nUpgrade: websocket';
    socket.write(`GET /x HTTP/1.1\r\nHost: ${API_HOST}\r\n${wish}\r\n\r\n`);
    const text = await textOf(socket);
    assert.ok(text.includes(`x-seen: https://${API_HOST}/x`) && text.includes(`first ${API_HOST}`), text);
  });

  it('counts in any case, and with a trailing dot; so does the host of a CONNECT', async () => {
    const odd = 'API.Individual.GitHubCopilot.COM.';
    for (const [host, servername] of [
      [FIRST, odd],
      [odd, API_HOST],
      [odd, odd],
    ] as const) {
      const { isInside, seen, asked } = await viewOf(proxy, host, servername);
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
    assert.deepEqual(await viewOf(proxy, 'example.com', API_HOST), insideAs(API_HOST));
    assert.deepEqual(await viewOf(proxy, API_HOST, 'example.com'), insideAs('example.com'));
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
        // The client closes its connection; the proxy keeps its own.
        assert.equal((await viewOf(proxy, host, API_HOST)).by, by);
      }
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
    assert.deepEqual(await viewOf(proxy, FIRST, 'localhost'), insideAs('localhost'));
    const since = proxy.output.length;
    proxy.write('addons.config.ts', config());
    await proxy.said(/addons\.config\.ts applied/, since);
  });

  it('counts less than what an addon has decided', async () => {
    await isBlind(PASSED, API_HOST);
    assert.deepEqual(await viewOf(proxy, INSPECTED, 'example.com'), insideAs('example.com'));
    assert.deepEqual(await viewOf(proxy, INSPECTED, TELEMETRY), insideAs(TELEMETRY));
  });

  it('counts by the config as it was saved last; tunnels that are open go on', async () => {
    const open = await openTunnel(proxy, undefined, FIRST, [], API_HOST);
    const becomes = (isInside: boolean) =>
      eventually(`${isInside}`, async () => (await viewOf(proxy, FIRST, API_HOST)).isInside === isInside);
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
    assert.ok((await viewOf(proxy, FIRST, 'proxy.individual.githubcopilot.com')).isInside);
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
      config: 'export default { addons: [] };',
      files: { 'ca.pem': fake.ca },
    });
    t.after(() => proxy.stop());
    const socket = await openTunnel(proxy, undefined, FIRST, [], API_HOST);
    socket.write(`GET /models HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: close\r\n\r\n`);
    assert.match(await textOf(socket), /^HTTP\/1\.1 200 OK/);
    // Once to see whether it is there, and once for the request.
    assert.deepEqual(parent.asked, [`CONNECT ${FIRST}:443`, `CONNECT ${FIRST}:443`]);
  });
});
