import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { clientHello } from '../client-hello.ts';
import { basic, connectTo, curl, openTunnel, RawConnection } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

describe('tunnels', () => {
  let proxy: ProxyProcess;
  setStage({ args: ['--flow-detail', '1'] }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  const connect = async (authority: string) => {
    const connection = await RawConnection.open(proxy.port);
    const authorization = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
    const answer = await connection.ask(`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`, authorization);
    return { ...answer, socket: connection.socket };
  };

  const issuerAt = async (host: string) => issuerIn((await connect(`${host}:443`)).socket, host);

  it('are looked into for Copilot’s hosts, with certificates of our CA', async () => {
    for (const host of [
      'api.githubcopilot.com',
      'proxy.business.githubcopilot.com',
      'copilot-proxy.githubusercontent.com',
    ]) {
      assert.equal(await issuerAt(host), 'insight-dump', host);
    }
  });

  it('are blind for all other hosts, and for Copilot’s telemetry: the client sees their own certificate', async () => {
    for (const host of [
      'example.com',
      'api.github.com',
      'notgithubcopilot.com',
      'telemetry.individual.githubcopilot.com',
    ]) {
      assert.equal(await issuerAt(host), 'Fake Internet CA', host);
    }
  });

  it('pass both ways what is in them, unseen', async () => {
    const upstreamCa = proxy.path('upstream-ca.pem');
    const { code, stdout } = await curl(
      proxy,
      'alice',
      '--cacert',
      upstreamCa,
      'https://example.com/hidden',
      '-d',
      'x'.repeat(100_000),
    );
    assert.equal(code, 0);
    assert.equal(JSON.parse(stdout).body.length, 100_000);
    assert.doesNotMatch(proxy.output, /hidden/);
  });

  it('speak h2 or h1 inside, as the client likes, and h1 to a client without ALPN', async () => {
    for (const [alpn, expected] of [
      [['h2', 'http/1.1'], 'h2'],
      [['http/1.1'], 'http/1.1'],
      [[], false],
    ] as const) {
      const socket = await openTunnel(proxy, 'alice', API_HOST, alpn);
      assert.equal(socket.alpnProtocol, expected);
      if (expected !== 'h2') {
        socket.write(`GET /models HTTP/1.1\r\nHost: ${API_HOST}\r\n\r\n`);
        const [head] = (await once(socket, 'data')) as [Buffer];
        assert.match(head.toString(), /^HTTP\/1\.1 200 OK/);
      }
      socket.destroy();
    }
  });

  it('take a TLS hello in the same packet as CONNECT', async () => {
    const connection = await RawConnection.open(proxy.port);
    const { socket } = connection;
    socket.removeAllListeners('data');
    const hello = await clientHello(API_HOST);
    const authorization = basic('alice', proxy.password('alice'));
    const head = `CONNECT ${API_HOST}:443 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${authorization}\r\n\r\n`;
    socket.setEncoding('latin1');
    socket.write(Buffer.concat([Buffer.from(head), hello]));
    let received = '';
    // 0x16 is a TLS handshake record: the server's hello.
    const signal = AbortSignal.timeout(5_000);
    while (!received.includes('\r\n\r\n\x16')) received += ((await once(socket, 'data', { signal })) as [string])[0];
    socket.destroy();
  });

  it('are refused, with a reason, to addresses of this machine and its networks', async () => {
    const open = await ProxyProcess.start();
    const authorization = `Proxy-Authorization: ${basic('alice', open.password('alice'))}`;
    for (const authority of [
      '127.0.0.1:22',
      '[::1]:22',
      'localhost:22',
      '10.0.0.1:443',
      '169.254.169.254:80',
      '[::ffff:127.0.0.1]:22',
    ]) {
      const connection = await RawConnection.open(open.port);
      const { status, text } = await connection.ask(`CONNECT ${authority} HTTP/1.1`, 'Host: x', authorization);
      assert.equal(status, 403, authority);
      assert.match(text, /x-insight-dump: privateTarget/);
      connection.socket.destroy();
    }
    const { stdout } = await curl(open, 'alice', '-o', '/dev/null', '-w', '%{http_code}', 'http://127.0.0.1:1/');
    assert.equal(stdout, '403');
    await open.stop();
  });

  it('are answered in plain words when they lead nowhere or are no tunnels', async () => {
    for (const [authority, expected] of [
      ['nowhere.invalid:1', 502],
      ['no-port', 400],
      ['a b:443', 400],
    ] as const) {
      const { status, text, socket } = await connect(authority);
      assert.equal(status, expected, authority);
      assert.match(text, /\r\n\r\ninsight-dump: [A-Z][^\n]+\n$/);
      socket.destroy();
    }
  });

  it('tell the administrator, once, who does not trust the CA, and what to do', async () => {
    for (let i = 0; i < 3; i++) {
      const { code } = await curl(
        proxy,
        'bob',
        '--cacert',
        proxy.path('upstream-ca.pem'),
        `https://${API_HOST}/models`,
      );
      assert.equal(code, 60);
    }
    const said =
      /bob at 127\.0\.0\.1 refused our certificate for api\.individual\.githubcopilot\.com .*has to trust .*ca\.pem/;
    await proxy.said(said);
    assert.equal(proxy.output.split('\n').filter((line) => said.test(line)).length, 1);
  });
});

describe('the hosts that are looked into', () => {
  let proxy: ProxyProcess;
  const config = (hosts: string) => `export default { addons: [], flowDetail: 0, ${hosts} };`;
  const are = async (isInside: Readonly<Record<string, boolean>>) => {
    for (const [authority, expected] of Object.entries(isInside)) {
      const [host = ''] = authority.split(':');
      const issuer = await issuerIn(await connectTo(proxy, undefined, authority), host);
      assert.equal(issuer, expected ? 'insight-dump' : 'Fake Internet CA', authority);
    }
  };

  describe('as the config says', () => {
    const toOtherPort = (fakePort: number) => ['--connect-to', `:8443:127.0.0.1:${fakePort}`];
    let fake: FakeCopilot;
    before(async () => {
      fake = await startFakeCopilot();
      const hosts = String.raw`allowHosts: ['^API\.github\.com:443$', /example/]`;
      proxy = await ProxyProcess.start({ upstream: fake, config: config(hosts), args: toOtherPort(fake.port) });
    });
    after(async () => {
      await proxy?.stop();
      await fake?.close();
    });

    it('are those that match by host and port, in any case, and no others', () =>
      are({
        'api.github.com:443': true,
        'api.github.com:8443': false,
        'API.GitHub.com:443': true,
        'www.example.com:8443': true,
        [`${API_HOST}:443`]: false,
      }));

    it('are fewer, or more, from the moment that the config is saved', async () => {
      const becomes = async (hosts: string) => {
        const since = proxy.output.length;
        proxy.write('addons.config.ts', config(hosts));
        await proxy.said(/addons\.config\.ts applied/, since);
      };
      await becomes(String.raw`allowHosts: ['example'], ignoreHosts: ['^WWW\.', ':8443$']`);
      await are({
        'example.com:443': true,
        'www.example.com:443': false,
        'example.com:8443': false,
        'api.github.com:443': false,
      });
      await becomes('');
      await are({ [`${API_HOST}:443`]: true, 'example.com:443': false, [`telemetry.${API_HOST.slice(4)}:443`]: false });
    });
  });

  describe('as flags say', () => {
    setStage(
      {
        config: config(`allowHosts: []`),
        args: ['--allow-hosts', '^example', '--allow-hosts', 'github', '--ignore-hosts', String.raw`^API\.github`],
      },
      undefined,
      (stage) => {
        ({ proxy } = stage);
      },
    );

    it('are those, whatever the config says', () =>
      are({
        'example.com:443': true,
        [`${API_HOST}:443`]: true,
        'api.github.com:443': false,
        'www.example.com:443': false,
      }));
  });
});

/** Who signed what a client sees at the end of a tunnel. */
async function issuerIn(socket: net.Socket, host: string): Promise<string> {
  const secure = tls.connect({ socket, servername: host, rejectUnauthorized: false });
  await once(secure, 'secureConnect');
  const { issuer } = secure.getPeerCertificate();
  secure.destroy();
  return String(issuer.CN);
}

describe('plain http:// requests', () => {
  let proxy: ProxyProcess;
  setStage({ args: ['--flow-detail', '1', '--allow-hosts', '^seen\\.example\\.com:80$'] }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  it('are relayed with path and body as they are', async () => {
    const url = 'http://example.com/a/../b//c?q=%20x&y';
    const { stdout } = await curl(proxy, 'alice', '--path-as-is', url, '-d', 'body');
    const seen = JSON.parse(stdout);
    assert.equal(seen.url, '/a/../b//c?q=%20x&y');
    assert.equal(seen.body, 'body');
    assert.equal(seen.headers.host, 'example.com');
  });

  it('are seen by addons only for hosts that are looked into', async () => {
    await curl(proxy, 'alice', 'http://unseen.example.com/unseen');
    await curl(proxy, 'alice', 'http://seen.example.com/seen');
    await proxy.said(/GET http:\/\/seen\.example\.com\/seen << 200/);
    assert.doesNotMatch(proxy.output, /unseen/);
  });

  it('share a connection', async () => {
    const { stdout } = await curl(
      proxy,
      'alice',
      '-w',
      '%{num_connects}',
      '-o',
      '/dev/null',
      'http://example.com/1',
      '-o',
      '/dev/null',
      'http://example.com/2',
    );
    assert.equal(stdout, '10');
  });

  it('are told from a request to the proxy itself', async () => {
    const connection = await RawConnection.open(proxy.port);
    const { status, text } = await connection.ask('GET / HTTP/1.1', 'Host: 127.0.0.1');
    assert.equal(status, 400);
    assert.match(text, /This is a proxy/);
    connection.socket.destroy();
  });

  it('get a 400 when they are no HTTP, a 431 when their head is endless', async () => {
    for (const [lines, expected] of [
      [['\x00\x01garbage'], 400],
      [['GET http://example.com/ HTTP/1.1', `X: ${'x'.repeat(100_000)}`], 431],
    ] as const) {
      const connection = await RawConnection.open(proxy.port);
      const { status } = await connection.ask(...lines);
      assert.equal(status, expected);
      connection.socket.destroy();
    }
  });

  it('get a short 502 that says whose it is when the upstream is not there', async () => {
    const gone = await startFakeCopilot();
    const other = await ProxyProcess.start({ upstream: gone });
    await gone.close();
    const { stdout } = await curl(other, 'alice', '-i', 'http://example.com/');
    assert.match(stdout, /^HTTP\/1\.1 502 Bad Gateway\r\n/);
    assert.match(stdout, /^x-insight-dump: ECONNREFUSED\r$/m);
    assert.doesNotMatch(stdout, /127\.0\.0\.1|connect ECONN/);
    await other.stop();
  });
});

describe('an upgrade', () => {
  let proxy: ProxyProcess;
  setStage({}, undefined, (stage) => {
    ({ proxy } = stage);
  });

  it('to a WebSocket passes through an intercepted tunnel, byte by byte', async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.write(`GET /echo HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1\.1 101 Switching Protocols\r\n/);
    socket.write('frames');
    const [echo] = (await once(socket, 'data')) as [Buffer];
    assert.equal(echo.toString(), 'frames');
    socket.destroy();
  });

  it('passes on a plain connection too', async () => {
    const connection = await RawConnection.open(proxy.port);
    const authorization = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket', authorization];
    const { status } = await connection.ask('GET http://example.com/ws HTTP/1.1', 'Host: example.com', ...upgrade);
    assert.equal(status, 101);
    connection.socket.write('frames');
    const [echo] = (await once(connection.socket, 'data')) as [string];
    assert.equal(echo, 'frames');
    connection.socket.destroy();
  });
});
