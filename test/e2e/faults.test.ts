import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { describe, it } from 'node:test';
import { ask, basic, curl, openSession, openTunnel, RawConnection } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

const TELL = `
  const tell = (name) => (flow, ctx) => ctx.log.info('flow ' + flow.request.path + ' ' + name + (flow.error ? ' ' + flow.error.by + ' ' + flow.error.code : ''));
  export const response = tell('response');
  export const error = tell('error');
`;
const CONFIG = `export default {
  addons: ['addons/auth.ts', 'tell.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0,
  allowHosts: ['githubcopilot', '^plain.example:80$'],
};`;

describe('a client that breaks off', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  setStage(
    { config: CONFIG, files: { 'tell.ts': TELL } },
    () => ({ delayMs: 50, pieces: Array(100).fill('x') }),
    (stage) => {
      ({ fake, proxy } = stage);
    },
  );

  const seen = (path: string) => eventually(`${path} upstream`, () => fake.requests.find((each) => each.path === path));
  const toldAs = (path: string, expected: string) => proxy.said(new RegExp(`flow ${path} ${expected}$`, 'm'), 0, 3_000);
  const stream = JSON.stringify({ stream: true });

  it('in the middle of an answer, by closing its h1 connection, has the upstream told within a second', async () => {
    const path = '/h1/chat/completions';
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${stream.length}\r\n\r\n${stream}`);
    await once(socket, 'data');
    socket.destroy();
    await eventually('the upstream is told', async () => (await seen(path)).end === 'cancelled', 1_000);
    await toldAs(path, 'error client CLIENT_CLOSED');
  });

  for (const code of [0, 8]) {
    it(`in the middle of an answer, by RST_STREAM ${code}, has the upstream told within a second`, async () => {
      const path = `/rst${code}/chat/completions`;
      const session = await openSession(proxy, 'alice', API_HOST);
      const request = session.request({ ':method': 'POST', ':path': path });
      request.on('error', () => {});
      request.end(stream);
      await once(request, 'data');
      request.close(code);
      await eventually('the upstream is told', async () => (await seen(path)).end === 'cancelled', 1_000);
      await toldAs(path, 'error client CLIENT_CLOSED');
      session.close();
    });
  }

  it('before the answer has begun has the upstream told', async () => {
    const path = '/early/chat/completions';
    const session = await openSession(proxy, 'alice', API_HOST);
    const request = session.request({ ':method': 'POST', ':path': path });
    request.on('error', () => {});
    request.write('{');
    await seen(path);
    request.destroy();
    await eventually('the upstream is told', async () => (await seen(path)).end !== undefined, 1_000);
    await toldAs(path, 'error client CLIENT_CLOSED');
    session.close();
  });

  it('in the middle of an upload does not leave the upstream with a request that looks whole', async () => {
    for (const [path, cut] of [
      ['/upload-h1', 'h1'],
      ['/upload-h2', 'h2'],
    ] as const) {
      if (cut === 'h1') {
        const socket = await openTunnel(proxy, 'alice', API_HOST);
        socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
        await seen(path);
        socket.destroy();
      } else {
        const session = await openSession(proxy, 'alice', API_HOST);
        const request = session.request({ ':method': 'POST', ':path': path });
        request.on('error', () => {});
        request.write('hello');
        await seen(path);
        session.destroy();
      }
      await toldAs(path, 'error client CLIENT_CLOSED');
      // The fake reads bodies to their end; one that was cut never gets there.
      assert.equal((await seen(path)).body.length, 0);
      assert.notEqual((await seen(path)).end, 'finished');
    }
  });
});

/** An upstream of our own making, on plain HTTP. */
async function withUpstream(
  serve: (socket: net.Socket) => void,
  test: (proxy: ProxyProcess) => Promise<void>,
  config = CONFIG,
): Promise<void> {
  const server = net.createServer((socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  const proxy = await ProxyProcess.start({
    args: ['--connect-to', `::127.0.0.1:${port}`],
    config,
    files: { 'tell.ts': TELL },
  });
  try {
    await test(proxy);
  } finally {
    await proxy.stop();
    server.close();
  }
}

const URL = 'http://plain.example/x';

describe('an upstream that breaks off', () => {
  for (const [what, answer, end, code] of [
    [
      'chunked body by a proper close',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
      'end',
      18,
    ],
    ['chunked body by a reset', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', 'reset', 18],
    ['body of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello', 'end', 18],
  ] as const) {
    it(`a ${what} gives the client no clean end`, () =>
      withUpstream(
        (socket) => {
          socket.once('data', () => {
            socket.write(answer);
            setTimeout(() => (end === 'end' ? socket.end() : socket.resetAndDestroy()), 50);
          });
        },
        async (proxy) => {
          const result = await curl(proxy, 'alice', URL);
          // curl: transfer closed with outstanding data.
          assert.equal(result.code, code, result.stderr);
          assert.equal(result.stdout, 'hello');
          await proxy.said(/flow \/x error upstream /);
        },
      ));
  }

  for (const [what, answer] of [
    ['before its head', ''],
    ['in the middle of its head', 'HTTP/1.1 200 OK\r\nContent-'],
    ['with what is no HTTP', 'SSH-2.0-OpenSSH\r\n'],
  ] as const) {
    it(`${what} gives the client a 502`, () =>
      withUpstream(
        (socket) => socket.once('data', () => socket.end(answer)),
        async (proxy) => {
          const { code, stdout } = await curl(proxy, 'alice', '-w', ' %{http_code}', URL);
          assert.equal(code, 0);
          assert.equal(stdout, 'insight-dump: The server could not be reached, or broke off.\n 502');
          await proxy.said(/flow \/x error upstream /);
        },
      ));
  }

  it('a close-delimited body is whole when it closes', () =>
    withUpstream(
      (socket) => socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it')),
      async (proxy) => {
        const { code, stdout } = await curl(proxy, 'alice', URL);
        assert.deepEqual([code, stdout], [0, 'all of it']);
      },
    ));

  it('answers early, and closes, while the client still uploads: the answer arrives', () =>
    withUpstream(
      (socket) =>
        socket.once('data', () => {
          socket.write('HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig');
          setTimeout(() => socket.end(), 20);
        }),
      async (proxy) => {
        const request = http.request({
          port: proxy.port,
          method: 'POST',
          path: URL,
          headers: {
            'proxy-authorization': `Basic ${Buffer.from(`alice:${proxy.password('alice')}`).toString('base64')}`,
            'transfer-encoding': 'chunked',
          },
        });
        request.on('error', () => {});
        const timer = setInterval(() => request.write(Buffer.alloc(10_000)), 5);
        const [response] = (await once(request, 'response')) as [http.IncomingMessage];
        clearInterval(timer);
        request.destroy();
        assert.equal(response.statusCode, 413);
      },
    ));
});

describe('an upstream that falls silent', () => {
  const config = CONFIG.replace('flowDetail: 0,', 'flowDetail: 0, idleTimeoutMs: 300,');

  it('before it answers gives the client a 504', () =>
    withUpstream(
      () => {},
      async (proxy) => {
        const { stdout } = await curl(proxy, 'alice', '-w', ' %{http_code}', URL);
        assert.equal(stdout, 'insight-dump: The server did not answer in time.\n 504');
        await proxy.said(/flow \/x error upstream IDLE_TIMEOUT/);
      },
      config,
    ));

  it('in the middle of a body gives the client no clean end', () =>
    withUpstream(
      (socket) => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')),
      async (proxy) => {
        const { code, stdout } = await curl(proxy, 'alice', URL);
        assert.deepEqual([code, stdout], [18, 'hello']);
        await proxy.said(/flow \/x error upstream IDLE_TIMEOUT/);
      },
      config,
    ));
});

describe('trailers of a request', () => {
  it('arrive behind its chunks', () => {
    let seen = '';
    const upstream = (socket: net.Socket) =>
      socket.on('data', (data) => {
        seen += data;
        if (seen.endsWith('\r\n\r\n') && seen.includes('\r\n0\r\n'))
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      });
    return withUpstream(upstream, async (proxy) => {
      const connection = await RawConnection.open(proxy.port);
      const login = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
      const head = [`POST ${URL} HTTP/1.1`, 'Host: x', login, 'Transfer-Encoding: chunked', 'Trailer: X-Sum'];
      connection.socket.write(`${head.join('\r\n')}\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`);
      assert.equal((await connection.answer()).status, 200);
      assert.match(seen, /\r\nTrailer: X-Sum\r\n.*\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n$/s);
      connection.socket.destroy();
    });
  });
});

describe('a kept connection that the upstream closes as the next request leaves', () => {
  /** Answers the first request on a connection, and resets it when the second comes. */
  const closing = (seen: string[]) => {
    let connections = 0;
    return (socket: net.Socket) => {
      connections += 1;
      const connection = connections;
      let requests = 0;
      socket.on('data', (data: Buffer) => {
        requests += 1;
        seen.push(`${connection} ${data.toString('latin1').split('\r\n\r\n')[1]}`);
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        else socket.resetAndDestroy();
      });
    };
  };

  for (const [what, args, body] of [
    ['one without a body', [], ''],
    ['one with a body', ['--data', 'the body'], 'the body'],
  ] as const) {
    it(`is not noticed: ${what} is sent once more`, () => {
      const seen: string[] = [];
      return withUpstream(closing(seen), async (proxy) => {
        for (let i = 0; i < 2; i++) {
          const { stdout } = await curl(proxy, 'alice', ...args, '-w', ' %{http_code}', URL);
          assert.equal(stdout, 'ok 200');
        }
        assert.deepEqual(seen, [`1 ${body}`, `1 ${body}`, `2 ${body}`]);
        await eventually('both are told of', () => proxy.output.match(/flow \/x response/g)?.length === 2);
      });
    });
  }

  it('is a fault when the connection was a new one: nothing is sent twice', () => {
    let connections = 0;
    const resetting = (socket: net.Socket) => {
      connections += 1;
      socket.once('data', () => socket.resetAndDestroy());
    };
    return withUpstream(resetting, async (proxy) => {
      const { stdout } = await curl(proxy, 'alice', '--data', 'x', '-o', '/dev/null', '-w', '%{http_code}', URL);
      assert.deepEqual([stdout, connections], ['502', 1]);
    });
  });
});

describe('a large upload', () => {
  it('passes whole, also from a client that waits for 100 Continue', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await ProxyProcess.start({ upstream: fake });
    t.after(() => proxy.stop());
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

describe('answers of special shapes', () => {
  for (const [what, answer, args, expected] of [
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', ['-I'], /^HTTP\/1\.1 200 OK\r\nContent-Length: 5\r\n/],
    ['204', 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n', ['-i'], /^HTTP\/1\.1 204 No Content\r\nX-A: 1\r\n/],
    [
      '304',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "x"\r\n\r\n',
      ['-i'],
      /^HTTP\/1\.1 304 Not Modified\r\n.*ETag: "x"\r\n/s,
    ],
    [
      'an own reason',
      'HTTP/1.1 299 Odd But Fine\r\nContent-Length: 0\r\n\r\n',
      ['-i'],
      /^HTTP\/1\.1 299 Odd But Fine\r\n/,
    ],
    [
      'duplicates',
      'HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nX-Y: 1\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n',
      ['-i'],
      /Set-Cookie: a\r\nX-Y: 1\r\nSet-Cookie: b\r\n/,
    ],
    [
      'trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n',
      ['-i', '--raw'],
      /\r\n1\r\na\r\n0\r\nx-sum: 1\r\n\r\n$/i,
    ],
  ] as const) {
    it(`pass as they are: ${what}`, () =>
      withUpstream(
        (socket) => socket.on('data', () => socket.write(answer)),
        async (proxy) => {
          const { code, stdout } = await curl(proxy, 'alice', ...args, URL);
          assert.equal(code, 0);
          assert.match(stdout, expected);
          await proxy.said(/flow \/x response/);
        },
      ));
  }
});

describe('when logs/ cannot be written', () => {
  it('traffic goes on, it is said once, and recording resumes', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await ProxyProcess.start({ upstream: fake });
    t.after(() => proxy.stop());
    // A file where the folder should be stops root as well.
    writeFileSync(proxy.path('logs/usage'), '');
    writeFileSync(proxy.path('logs/metrics'), '');
    const session = await openSession(proxy, 'alice', API_HOST);
    const headers = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
    const body = JSON.stringify({ stream: true, messages: [] });
    for (let i = 0; i < 3; i++) assert.equal((await ask(session, headers, body)).status, 200);
    await proxy.said(/cannot record: /);
    await proxy.said(/cannot keep metrics: /);
    assert.equal(proxy.output.match(/cannot record/g)?.length, 1);
    rmSync(proxy.path('logs/usage'));
    rmSync(proxy.path('logs/metrics'));
    assert.equal((await ask(session, headers, body)).status, 200);
    const [, lost] = await proxy.said(/recording again; (\d) exchanges could not be recorded/);
    await proxy.recorded(4 - Number(lost));
    await proxy.metrics((day) => day.total_chat_turns === 4);
    session.close();
  });
});

describe('SIGKILL in the middle of the work', () => {
  it('leaves no torn record, and the next start counts each that is not counted yet', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const killed = await ProxyProcess.start({ upstream: fake });
    const session = await openSession(killed, 'alice', API_HOST);
    const headers = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
    const body = JSON.stringify({ stream: true, messages: [] });
    const chatting = Array.from({ length: 10 }, async () => {
      for (;;) await ask(session, headers, body);
    });
    for (const chat of chatting) chat.catch(() => {});
    await killed.recorded(20);
    killed.kill('SIGKILL');
    await killed.ended;
    session.destroy();
    // Reads each of them as JSON.
    const count = killed.records().size;
    assert.ok(count >= 20);

    const proxy = await ProxyProcess.start({ upstream: fake, folder: killed.folder });
    t.after(() => proxy.stop());
    const again = await openSession(proxy, 'alice', API_HOST);
    await ask(again, headers, body);
    again.close();
    await proxy.metrics((day) => day.total_chat_turns === count + 1);
  });
});
