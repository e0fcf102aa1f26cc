import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import net from 'node:net';
import { describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { basic, curl, openTunnel } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';
import { ACTS, config, WebSocketUpstream } from '../websockets.ts';

describe('a request for an upgrade', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  let server: WebSocketUpstream;
  setStage({ config: config('acts.ts'), files: { 'acts.ts': ACTS } }, undefined, (stage) => {
    ({ fake, proxy } = stage);
    server = new WebSocketUpstream(fake);
  });

  /** Sends one as text. Resolves with all that comes back until the connection ends, or with the head of a 101. */
  const ask = async (path: string, more = ''): Promise<string> => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.on('error', () => {});
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`,
    );
    let text = '';
    for await (const chunk of socket.setEncoding('latin1')) {
      text += chunk;
      if (/^HTTP\/1\.1 101 [\s\S]*\r\n\r\n/.test(text)) break;
    }
    socket.destroy();
    return text;
  };
  const hooksOf = (path: string, since: number) =>
    [...proxy.output.slice(since).matchAll(/(\/\S+) (\w+.*)/g)]
      .filter(([, at]) => at === path)
      .map(([, , what]) => what);

  it('and its answer are edited by addons', async () => {
    const text = await ask('/headers', 'X-Mine: 1\r\n');
    assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n/);
    assert.match(text, /^x-answer: by addon\r$/m);
    const { headers } = server.requests.at(-1) as IncomingMessage;
    assert.equal(headers['x-set'], 'by addon');
    assert.equal(headers['x-mine'], '1');
    assert.equal(headers.connection, 'Upgrade');
  });

  it('is sent elsewhere by an addon', async () => {
    await ask('/elsewhere');
    const { headers, url } = server.requests.at(-1) as IncomingMessage;
    assert.equal(headers.host, 'api.enterprise.githubcopilot.com');
    assert.equal(url, '/there');
  });

  it('is answered by an addon without the server', async () => {
    const [since, before] = [proxy.output.length, server.requests.length];
    assert.match(await ask('/respond'), /^HTTP\/1\.1 418 I'm a Teapot\r\n[\s\S]*\r\n\r\nteapot$/);
    assert.equal(server.requests.length, before);
    await eventually('the hooks', () => hooksOf('/respond', since).length === 3);
    assert.deepEqual(hooksOf('/respond', since), ['requestHeaders', 'responseHeaders', 'response']);
  });

  for (const path of ['/respond-late', '/status']) {
    it(`is refused by an addon after the server has agreed (${path})`, async () => {
      const since = proxy.output.length;
      const before = server.sockets.length;
      assert.match(await ask(path), /^HTTP\/1\.1 403 /);
      const upstream = server.sockets[before] as WebSocket;
      await eventually('the server’s end', () => upstream.readyState === WebSocket.CLOSED);
      assert.deepEqual(hooksOf(path, since), ['requestHeaders', 'request', 'responseHeaders', 'response']);
    });
  }

  for (const [path, hooks] of [
    ['/kill-request', ['requestHeaders', 'error by addon KILLED']],
    ['/kill-response', ['requestHeaders', 'request', 'responseHeaders', 'error by addon KILLED']],
  ] as const) {
    it(`is cut by an addon (${path})`, async () => {
      const since = proxy.output.length;
      assert.equal(await ask(path), '');
      await proxy.said(/KILLED/, since);
      assert.deepEqual(hooksOf(path, since), hooks);
    });
  }

  it('gets an answer that is no 101 as any other request', async () => {
    const since = proxy.output.length;
    const { upgrade } = fake;
    fake.upgrade = (_request, socket) => {
      socket.write(
        'HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nX-Why: not\r\n\r\n3\r\nnot\r\n',
      );
      setTimeout(() => socket.write('6\r\n today\r\n0\r\n\r\n'), 100);
    };
    const text = await ask('/refused');
    fake.upgrade = upgrade;
    assert.match(text, /^HTTP\/1\.1 426 Upgrade Required\r\nX-Why: not\r\n/);
    assert.match(text, /not[\s\S]* tod/);
    await proxy.said(/\/refused response$/m, since);
    assert.deepEqual(hooksOf('/refused', since), ['requestHeaders', 'request', 'responseHeaders', 'response']);
  });

  it('to HTTP/2 is taken for a request without one, or what follows would go unseen', async () => {
    const { stdout } = await curl(
      proxy,
      'alice',
      ...['-H', 'Connection: Upgrade, HTTP2-Settings', '-H', 'Upgrade: h2c', '-H', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
      ...['--http1.1', `https://${API_HOST}/h2c`, '-d', 'body'],
    );
    const { headers, body } = JSON.parse(stdout);
    assert.equal(body, 'body');
    assert.equal(headers.upgrade, undefined);
    assert.equal(headers['http2-settings'], undefined);
  });

  it('is not taken while an earlier answer is on its way', async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.on('error', () => {});
    const head = `Host: ${API_HOST}\r\n`;
    const second = `GET /second HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    socket.write(`GET /first HTTP/1.1\r\n${head}\r\n${second}`);
    socket.resume();
    await once(socket, 'close');
  });

  it('passes the body that it has', async () => {
    const { upgrade } = fake;
    let body = '';
    fake.upgrade = (_request, socket, head) => {
      body = head.toString();
      socket.on('data', (chunk) => {
        body += chunk;
      });
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    };
    const text = await ask('/body', 'Content-Length: 5\r\n\r\nhello');
    fake.upgrade = upgrade;
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*ok$/);
    assert.equal(body, 'hello');
  });

  it('is cancelled when the client leaves before there is an answer', async () => {
    const since = proxy.output.length;
    const { upgrade } = fake;
    const asked = new Promise<net.Socket>((resolve) => {
      fake.upgrade = (_request, socket) => resolve(socket);
    });
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.write(`GET /left HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    const upstream = await asked;
    fake.upgrade = upgrade;
    upstream.resume();
    const closed = Promise.race([once(upstream, 'end'), once(upstream, 'close'), once(upstream, 'error')]);
    socket.end();
    await closed;
    await proxy.said(/\/left error by client CLIENT_CLOSED/, since);
  });

  it('gets a short 502 that says whose it is when the server is not there', async () => {
    const since = proxy.output.length;
    const { upgrade } = fake;
    fake.upgrade = (_request, socket) => socket.destroy();
    const text = await ask('/gone');
    fake.upgrade = upgrade;
    assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\nx-insight-dump: \w+\r\n/);
    await proxy.said(/\/gone error by upstream/, since);
    assert.deepEqual(hooksOf('/gone', since).slice(0, 2), ['requestHeaders', 'request']);
  });
});

describe('a request for an upgrade in the clear', () => {
  it('is cancelled when the client leaves before there is an answer', async (t) => {
    const fake = await startFakeCopilot();
    const asked = new Promise<net.Socket>((resolve) => {
      fake.upgrade = (_request, socket) => resolve(socket);
    });
    const proxy = await ProxyProcess.start({ upstream: fake });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const socket = net.connect(proxy.port, '127.0.0.1');
    socket.write(
      `GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}\r\n\r\n`,
    );
    const upstream = await asked;
    upstream.resume();
    socket.end();
    await once(upstream, 'end', { signal: AbortSignal.timeout(5_000) });
  });
});
