import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { pathToFileURL } from 'node:url';
import { basic, curl, RawConnection } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { ProxyProcess, ROOT } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { configOf } from '../tagging.ts';

const PRELOAD = pathToFileURL(path.join(ROOT, 'test/fixtures/preload/names.mjs'));
/** Two addresses of the loopback network, so that a port may be open on the one and not on the other. */
const [ONE, OTHER] = ['127.0.0.1', '127.0.0.2'];
const hasIpv6 = Object.values(os.networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const WITHOUT_IPV6 = !hasIpv6 && 'this machine has no ::1';

const code = async (proxy: ProxyProcess, ...args: readonly string[]) =>
  (await curl(proxy, 'alice', '-o', '/dev/null', '-w', '%{http_code}', ...args)).stdout;

describe('a server', () => {
  const servers = new Map<string, number>();
  const closing: (() => void)[] = [];
  let proxy: ProxyProcess;
  before(async () => {
    for (const address of hasIpv6 ? [ONE, '::1'] : [ONE]) {
      const server = http.createServer((request, response) => response.end(`${request.headers.host} at ${address}`));
      await once(server.listen(0, address), 'listening');
      servers.set(address, (server.address() as net.AddressInfo).port);
      closing.push(() => server.close());
    }
    const names = {
      'first-closed.example': [OTHER, ONE],
      'first-unreachable.example': ['127.255.255.255', ONE],
      'both.example': hasIpv6 ? ['::1', ONE] : [ONE],
    };
    proxy = await ProxyProcess.start({
      config: configOf('', 'allowPrivateTargets: true'),
      env: { NODE_OPTIONS: `--import=${PRELOAD}`, NAMES: JSON.stringify(names) },
    });
  });
  after(async () => {
    await proxy?.stop();
    for (const close of closing) close();
  });
  const port = (address: string) => servers.get(address) ?? 0;
  const login = () => `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;

  /** What is there, by a plain request and through a blind tunnel. */
  const at = async (authority: string) => {
    const url = `http://${authority}/`;
    const plain = await curl(proxy, 'alice', url);
    const tunneled = await curl(proxy, 'alice', '--proxytunnel', url);
    assert.equal(tunneled.stdout, plain.stdout);
    return plain.stdout;
  };

  it('is found by a name of the hosts file', async () => {
    const authority = `localhost:${port(ONE)}`;
    assert.equal(await at(authority), `${authority} at ${ONE}`);
  });

  for (const name of ['first-closed.example', 'first-unreachable.example', 'both.example']) {
    it(`of several addresses is reached by the one that answers: ${name}`, async () => {
      const authority = `${name}:${port(ONE)}`;
      assert.equal(await at(authority), `${authority} at ${ONE}`);
    });
  }

  it('of several addresses is reached over IPv6, where that is the one', { skip: WITHOUT_IPV6 }, async () => {
    const authority = `both.example:${port('::1')}`;
    assert.equal(await at(authority), `${authority} at ::1`);
  });

  it('is reached by its address of IPv6', { skip: WITHOUT_IPV6 }, async () => {
    const authority = `[::1]:${port('::1')}`;
    assert.equal(await at(authority), `${authority} at ::1`);
    const long = `[0:0:0:0:0:0:0:1]:${port('::1')}`;
    const connection = await RawConnection.open(proxy.port);
    assert.equal((await connection.ask(`CONNECT ${long} HTTP/1.1`, `Host: ${long}`, login())).status, 200);
    connection.socket.destroy();
  });

  it('is the same in whatever case its name is written, and with a dot at its end', async () => {
    for (const name of ['LocalHost', 'localhost.', 'LOCALHOST.']) {
      const authority = `${name}:${port(ONE)}`;
      const connection = await RawConnection.open(proxy.port);
      const plain = await connection.ask(`GET HTTP://${authority}/ HTTP/1.1`, `Host: ${authority}`, login());
      assert.match(plain.text, new RegExp(`\\r\\n\\r\\nlocalhost:${port(ONE)} at ${ONE}$`, 'i'), plain.text);
      const { status } = await connection.ask(`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, login());
      assert.equal(status, 200);
      connection.socket.destroy();
    }
  });
});

describe('a host that is looked into', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  before(async () => {
    fake = await startFakeCopilot();
    proxy = await ProxyProcess.start({ upstream: fake, args: ['--flow-detail', '1'] });
  });
  after(async () => {
    await proxy?.stop();
    await fake?.close();
  });

  for (const name of [API_HOST.toUpperCase(), `${API_HOST}.`, `${API_HOST.replace('api', 'Api')}.`]) {
    it(`is one in whatever case its name is written, and with a dot at its end: CONNECT ${name}`, async () => {
      const login = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
      const connection = await RawConnection.open(proxy.port);
      const authority = `${name}:443`;
      const { status } = await connection.ask(`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, login);
      assert.equal(status, 200);
      connection.socket.removeAllListeners('data');
      const secure = tls.connect({ socket: connection.socket, servername: API_HOST, ca: proxy.ca });
      await once(secure, 'secureConnect');
      const pathOf = `/case-${name}`;
      secure.write(`GET ${pathOf} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
      await once(secure.resume(), 'end');
      // As in the request, so to the server; addons see the one name.
      assert.equal(fake.requests.find(({ path }) => path === pathOf)?.host, name);
      await proxy.said(new RegExp(`GET https://${API_HOST}${pathOf} << 200`));
    });
  }
});

describe('--connect-to', () => {
  let fake: FakeCopilot;
  let other: http.Server;
  let proxy: ProxyProcess;
  before(async () => {
    fake = await startFakeCopilot();
    other = http.createServer((_request, response) => response.writeHead(418).end());
    await once(other.listen(0, ONE), 'listening');
    const otherPort = (other.address() as net.AddressInfo).port;
    proxy = await ProxyProcess.start({
      args: [
        ...['--connect-to', `one.example.com:80:${ONE}:${otherPort}`],
        ...['--connect-to', `one.example.com:80:${ONE}:1`],
        ...['--connect-to', `Any-Port.example.com::${ONE}:${otherPort}`],
        ...['--connect-to', `same-port.example.com::${ONE}:`],
        ...['--connect-to', `same-host.invalid:81::${otherPort}`],
        ...['--connect-to', `six.example.com::[::1]:${otherPort}`],
        ...['--connect-to', `:443:${ONE}:${fake.port}`],
        ...['--upstream-ca', 'ca.pem'],
      ],
      config: configOf(''),
      files: { 'ca.pem': fake.ca },
    });
  });
  after(async () => {
    await proxy?.stop();
    await fake?.close();
    other?.close();
  });

  it('leads a host and port elsewhere; of two for the same, the first counts', async () => {
    assert.equal(await code(proxy, 'http://one.example.com/'), '418');
  });

  it('leads all ports of a host elsewhere, in whatever case', async () => {
    for (const port of [80, 8_080]) assert.equal(await code(proxy, `http://any-port.example.com:${port}/`), '418');
  });

  it('keeps the port where it names none', async () => {
    const { port } = other.address() as net.AddressInfo;
    assert.equal(await code(proxy, `http://same-port.example.com:${port}/`), '418');
  });

  it('keeps the host where it names none, which may be one that nobody knows', async () => {
    const { stdout } = await curl(
      proxy,
      'alice',
      '-w',
      '%header{x-insight-dump}',
      '-o',
      '/dev/null',
      'http://same-host.invalid:81/',
    );
    assert.match(stdout, /^(?:ENOTFOUND|EAI_AGAIN)$/);
  });

  it('takes IPv6 in brackets', { skip: WITHOUT_IPV6 }, async () => {
    // Nobody listens there.
    const { stdout } = await curl(
      proxy,
      'alice',
      '-w',
      '%header{x-insight-dump}',
      '-o',
      '/dev/null',
      'http://six.example.com/',
    );
    assert.equal(stdout, 'ECONNREFUSED');
  });

  it('leads all hosts of a port elsewhere; certificates are those of the host that was asked for', async () => {
    assert.equal(await code(proxy, `https://${API_HOST}/`), '200');
    // The fake has no certificate for that one.
    assert.equal(await code(proxy, 'https://deep.down.githubcopilot.com/'), '502');
  });
});
