import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { readAnswers } from '../answers.ts';
import { basic, curl, openSession, openTunnel, RawConnection } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

/** What comes back, as HTTP/1.1 answers. */
function answersOn(socket: Duplex) {
  let received = '';
  socket.on('data', (data: Buffer) => {
    received += data.toString('latin1');
  });
  return {
    statuses: () => readAnswers(received).map(({ status }) => status),
    last: () => readAnswers(received).at(-1),
  };
}

describe('a client that waits for 100 Continue', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  setStage({}, undefined, (stage) => {
    ({ fake, proxy } = stage);
  });
  const login = () => `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;

  const places: Record<string, () => Promise<{ socket: Duplex; target: string; more: readonly string[] }>> = {
    'on a plain connection': async () => {
      const { socket } = await RawConnection.open(proxy.port);
      socket.removeAllListeners('data');
      return { socket, target: 'http://example.com', more: [login()] };
    },
    'in a tunnel that is looked into': async () => ({
      socket: await openTunnel(proxy, 'alice', API_HOST),
      target: '',
      more: [],
    }),
    'in a blind tunnel': async () => {
      const connection = await RawConnection.open(proxy.port);
      await connection.ask('CONNECT example.com:443 HTTP/1.1', 'Host: example.com:443', login());
      connection.socket.removeAllListeners('data');
      const ca = proxy.read('upstream-ca.pem');
      const socket = tls.connect({ socket: connection.socket, servername: 'example.com', ca });
      await once(socket, 'secureConnect');
      return { socket, target: '', more: [] };
    },
  };

  for (const [where, open] of Object.entries(places)) {
    it(`is told to go on, ${where}, and its request passes whole`, async () => {
      const { socket, target, more } = await open();
      const answers = answersOn(socket);
      const path = `/${where.replaceAll(' ', '-')}`;
      const head = [`POST ${target}${path} HTTP/1.1`, 'Host: example.com', 'Expect: 100-continue', ...more];
      socket.write(`${[...head, 'Content-Length: 5'].join('\r\n')}\r\n\r\n`);
      await eventually('100 Continue', () => answers.statuses()[0] === 100);
      socket.write('hello');
      await eventually('the answer', () => answers.last()?.status === 200 && answers.last()?.whole);
      assert.deepEqual(answers.statuses(), [100, 200]);
      assert.equal(fake.requests.find((seen) => seen.path === path)?.body.toString(), 'hello');
      socket.destroy();
    });
  }

  it('over HTTP/2 is told so, once', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const stream = session.request({ ':method': 'POST', ':path': '/h2-expects', expect: '100-continue' });
    let count = 0;
    stream.on('continue', () => {
      count += 1;
      stream.end('hello');
    });
    const [answer] = await once(stream, 'response');
    await once(stream.resume(), 'end');
    assert.deepEqual([answer[':status'], count], [200, 1]);
    assert.equal(fake.requests.at(-1)?.body.toString(), 'hello');
    session.close();
  });

  it('is not let in without credentials, and gets its answer', async () => {
    const { socket } = await RawConnection.open(proxy.port);
    socket.removeAllListeners('data');
    const answers = answersOn(socket);
    const head = ['POST http://example.com/no HTTP/1.1', 'Host: example.com', 'Expect: 100-continue'];
    socket.write(`${[...head, 'Content-Length: 5'].join('\r\n')}\r\n\r\n`);
    await eventually('the answer', () => answers.last()?.status === 407);
    assert.ok(!fake.requests.some(({ path }) => path === '/no'));
    socket.destroy();
  });

  it('may send much', async () => {
    const file = proxy.path('large');
    writeFileSync(file, Buffer.alloc(5_000_000, 'abcdefg'));
    for (const protocol of ['--http1.1', '--http2']) {
      const { code } = await curl(
        proxy,
        'alice',
        ...[protocol, '-H', 'Expect: 100-continue', '--expect100-timeout', '10', '-o', '/dev/null'],
        ...['--data-binary', `@${file}`, `https://${API_HOST}/upload`],
      );
      assert.equal(code, 0);
      assert.equal(fake.requests.at(-1)?.body.length, 5_000_000);
      assert.equal(fake.requests.at(-1)?.headers.expect, undefined);
    }
  });
});
