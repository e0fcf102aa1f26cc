import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { basic, curl, openTunnel, RawConnection } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setStage } from '../stage.ts';

const TELL = `
  const tell = (name) => (flow, ctx) => ctx.log.info('flow ' + flow.request.path + ' ' + name + ' ' + flow.request.url);
  export const response = tell('response');
  export const error = tell('error');
  export function done(ctx) { ctx.log.info('tell is done'); }
`;
const CONFIG = `export default {
  addons: ['addons/auth.ts', 'tell.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0,
  allowHosts: ['githubcopilot', '^plain\\\\.example\\\\.com:80$', '^127\\\\.0\\\\.0\\\\.1:443$'],
};`;

describe('a client that does odd things', () => {
  let proxy: ProxyProcess;
  let fake: FakeCopilot;
  setStage({ config: CONFIG, files: { 'tell.ts': TELL } }, undefined, (stage) => {
    ({ proxy, fake } = stage);
    fake.plan = ({ path }) => (path.includes('slow') ? { delayMs: 300, pieces: ['x', 'y', 'z'] } : {});
  });
  const login = () => `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
  const get = (path: string, ...headers: readonly string[]) =>
    [`GET http://plain.example.com${path} HTTP/1.1`, 'Host: plain.example.com', login(), ...headers, '', ''].join(
      '\r\n',
    );
  const chat = (path: string) => {
    const body = chatRequest('x');
    return [
      `POST http://plain.example.com${path}/chat/completions HTTP/1.1`,
      ...['Host: plain.example.com', login(), `Content-Length: ${Buffer.byteLength(body)}`, '', body],
    ].join('\r\n');
  };
  const open = () => {
    const socket = net.connect(proxy.port, '127.0.0.1');
    socket.on('error', () => {});
    let received = '';
    socket.setEncoding('latin1').on('data', (text) => {
      received += text;
    });
    return { socket, received: () => received };
  };
  const endsOnce = (path: string) =>
    eventually(
      () => `one end of ${path}:\n${proxy.output}`,
      () => proxy.output.match(new RegExp(`flow ${path} (response|error) `, 'g'))?.length === 1,
    );

  it('has each of its pipelined requests come to an end when it leaves before they are answered', async () => {
    const { socket } = open();
    socket.write(chat('/slow-1') + get('/pipelined-2') + get('/pipelined-3'));
    await eventually('they are there', () => fake.requests.some(({ path }) => path.includes('/slow-1')));
    socket.destroy();
    for (const path of ['/slow-1/chat/completions', '/pipelined-2', '/pipelined-3']) await endsOnce(path);
  });

  it('gets nothing written into an answer that has begun when it sends rubbish', async () => {
    const { socket, received } = open();
    socket.write(chat('/slow-4'));
    await eventually('it has begun', () => received().includes('HTTP/1.1 200'));
    socket.write('\0\0 rubbish\r\n\r\n');
    await once(socket, 'close');
    assert.doesNotMatch(received(), /400/);
    await endsOnce('/slow-4/chat/completions');
  });

  it('gets no tunnel on a connection that still owes an answer', async () => {
    const { socket, received } = open();
    socket.write(`${chat('/slow-5')}CONNECT example.com:443 HTTP/1.1\r\n${login()}\r\n\r\n`);
    await once(socket, 'close');
    assert.doesNotMatch(received(), /Connection Established/);
    await endsOnce('/slow-5/chat/completions');
  });

  it('is refused with a thousand header fields, the last of which would not be seen', async () => {
    const many = Array.from({ length: 1_100 }, () => 'a: b');
    const connection = await RawConnection.open(proxy.port);
    const count = fake.requests.length;
    const head = [`POST http://plain.example.com/many HTTP/1.1`, 'Host: plain.example.com', login(), ...many];
    assert.equal((await connection.ask(...head, 'Content-Length: 5')).status, 431);
    const tunnel = await openTunnel(proxy, 'alice', API_HOST);
    tunnel.write(`POST /many HTTP/1.1\r\nHost: x\r\n${many.join('\r\n')}\r\nContent-Length: 5\r\n\r\nhello`);
    const [answer] = (await once(tunnel, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 431 /);
    tunnel.destroy();
    connection.socket.destroy();
    assert.equal(fake.requests.length, count);
  });

  it('is refused with two hosts, or with none', async () => {
    for (const hosts of [['Host: a', 'Host: b'], []]) {
      const connection = await RawConnection.open(proxy.port);
      const { status, text } = await connection.ask('GET http://plain.example.com/ HTTP/1.1', ...hosts, login());
      assert.equal(status, 400);
      assert.match(text, /x-insight-dump: BAD_REQUEST/);
      connection.socket.destroy();
    }
  });

  it('reaches the host that it asks for in absolute form, whatever its Host says', async () => {
    const { code } = await curl(proxy, 'alice', '-H', 'Host: evil.example', 'http://plain.example.com/host');
    assert.equal(code, 0);
    assert.equal(fake.requests.at(-1)?.host, 'plain.example.com');
  });

  it('does not leave TLS by asking for http:// in a tunnel', async () => {
    const tunnel = await openTunnel(proxy, 'alice', API_HOST);
    tunnel.write(`GET http://evil.example/inside HTTP/1.1\r\nHost: ${API_HOST}\r\n\r\n`);
    const [answer] = (await once(tunnel, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
    tunnel.destroy();
    await proxy.said(new RegExp(`flow /inside response https://${API_HOST.replaceAll('.', '\\.')}/inside`));
  });

  it('is served although it expects what nobody knows', async () => {
    const { stdout } = await curl(
      proxy,
      'alice',
      '-H',
      'Expect: wonders',
      '-w',
      '%{http_code}',
      '-o',
      '/dev/null',
      'http://plain.example.com/',
    );
    assert.equal(stdout, '200');
  });

  it('gets to an address by a blind tunnel, since no certificate could be right', async () => {
    const args = ['--cacert', proxy.path('upstream-ca.pem'), '-w', '%{http_code}', '-o', '/dev/null'];
    assert.equal((await curl(proxy, 'alice', ...args, 'https://127.0.0.1/')).stdout, '200');
  });

  it('does not keep the proxy from stopping', async () => {
    const { socket } = open();
    socket.write(chat('/slow-9') + get('/pipelined-10'));
    await eventually('it is there', () => fake.requests.some(({ path }) => path.includes('/slow-9')));
    socket.end();
    proxy.kill('SIGTERM');
    assert.equal(await proxy.ended, 0);
    assert.match(proxy.output, /tell is done/);
  });
});
