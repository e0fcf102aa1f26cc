import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { constants } from 'node:http2';
import type net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { basic, type CurlResult, curl, openSession, openTunnel, RawConnection } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { leadingTo, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { RAW_CONFIG, type RawUpstream, setRawStage, withRawUpstream } from '../raw-upstream.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';
import { TELL } from '../telling.ts';

/** More than is on its way at once. */
const MUCH_BYTES = 200_000;
/** For the proxy to have read what the upstream has sent. */
const AFTER_ANSWER_MS = 300;

describe('a client that breaks off', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  setStage(
    { config: RAW_CONFIG, files: { 'tell.ts': TELL } },
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

  it('in the middle of an answer, by a reset of its connection, has the upstream told within a second', async () => {
    const path = '/reset/chat/completions';
    const { socket } = await RawConnection.open(proxy.port);
    const login = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
    const head = [`POST http://plain.example${path} HTTP/1.1`, 'Host: plain.example', login];
    socket.write(`${[...head, `Content-Length: ${stream.length}`].join('\r\n')}\r\n\r\n${stream}`);
    await once(socket, 'data');
    socket.resetAndDestroy();
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

const URL = 'http://plain.example/x';

describe('a client that resets its stream of HTTP/2 without an error, in the middle of an answer that is all here,', () => {
  const closed: string[] = [];
  let upstream: OwnUpstream;
  let proxy: ProxyProcess;
  before(async () => {
    upstream = await startOwnUpstream((request, response) => {
      response.once('close', () => closed.push(request.url ?? ''));
      response.end(Buffer.alloc(MUCH_BYTES));
    });
    const { args, files } = leadingTo(upstream);
    proxy = await ProxyProcess.start({ args, config: RAW_CONFIG, files: { ...files, 'tell.ts': TELL } });
  });
  after(async () => {
    await proxy?.stop();
    await upstream?.close();
  });

  it('has its flow ended', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const request = session.request({ ':path': '/much' });
    await once(request, 'response');
    await eventually('all of the answer is with the proxy', () => closed.includes('/much'));
    await sleep(AFTER_ANSWER_MS);
    request.close(constants.NGHTTP2_NO_ERROR);
    await proxy.said(/flow \/much error client CLIENT_CLOSED$/m);
    session.destroy();
  });
});

/** In the clear, and over TLS for clients of both versions. */
const WAYS: readonly (readonly string[])[] = [
  [URL],
  ['--http1.1', `https://${API_HOST}/x`],
  ['--http2', `https://${API_HOST}/x`],
];

describe('an upstream that breaks off', () => {
  const ends = {
    'a proper close': (socket: net.Socket) => socket.end(),
    'a reset': (_socket: net.Socket, reset: () => void) => reset(),
  };
  let proxy: ProxyProcess;
  let upstream: RawUpstream;
  setRawStage(RAW_CONFIG, (stage) => {
    ({ proxy, upstream } = stage);
  });
  /** Asks in each of the ways; addons are to be told each time. */
  const askEachWay = async (
    args: readonly string[],
    told: RegExp,
    check: (result: CurlResult, h2: boolean) => void,
  ) => {
    const since = proxy.output.length;
    for (const way of WAYS) check(await curl(proxy, 'alice', ...args, ...way), way.includes('--http2'));
    await eventually(
      () => `${told}, each time, in\n${proxy.output.slice(since)}`,
      () => proxy.output.slice(since).match(told)?.length === WAYS.length,
    );
  };

  for (const [how, end] of Object.entries(ends)) {
    for (const [what, answer] of [
      ['a chunked body', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'],
      ['a body of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello'],
    ] as const) {
      it(`in the middle of ${what}, by ${how}, gives the client no clean end`, async () => {
        upstream.serve = (socket, reset) =>
          socket.once('data', () => {
            socket.write(answer);
            setTimeout(() => end(socket, reset), 50);
          });
        await askEachWay([], /flow \/x error upstream /g, ({ code, stdout, stderr }, h2) => {
          // curl: transfer closed with outstanding data; HTTP/2 stream was not closed cleanly.
          assert.equal(code, h2 ? 92 : 18, stderr);
          assert.equal(stdout, 'hello');
        });
      });
    }

    for (const [what, answer, code] of [
      ['before its head', '', 'ECONNRESET'],
      ['in the middle of its head', 'HTTP/1.1 200 OK\r\nContent-', '(?:ECONNRESET|HPE_[A-Z_]+)'],
      ['with what is no HTTP', 'SSH-2.0-OpenSSH\r\n', 'HPE_[A-Z_]+'],
      ['with a head that has no end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`, 'answerHeadTooLarge'],
    ] as const) {
      it(`${what}, by ${how}, gives the client a 502`, async () => {
        upstream.serve = (socket, reset) =>
          socket.once('data', () => {
            if (answer === '') end(socket, reset);
            else socket.write(answer, () => setTimeout(() => end(socket, reset), 50));
          });
        const args = ['-w', ' %{http_code} %header{x-insight-dump}'];
        const said = new RegExp(`flow /x error upstream ${code}\n`, 'g');
        await askEachWay(args, said, ({ code: exitCode, stdout }) => {
          assert.equal(exitCode, 0);
          const told = 'insight-dump: The server could not be reached, or broke off.';
          assert.match(stdout, new RegExp(`^${told}\n 502 ${code}$`));
        });
      });
    }
  }

  it('a close-delimited body is whole when it closes', async () => {
    upstream.serve = (socket) => socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'));
    await askEachWay([], /flow \/x response 200 1\.0\n/g, ({ code, stdout }) =>
      assert.deepEqual([code, stdout], [0, 'all of it']),
    );
  });

  it('answers early, and closes, while the client still uploads: the answer arrives', () =>
    withRawUpstream(
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
  const config = RAW_CONFIG.replace('flowDetail: 0,', 'flowDetail: 0, idleTimeoutMs: 300,');

  it('before it answers gives the client a 504', () =>
    withRawUpstream(
      () => {},
      async (proxy) => {
        const { stdout } = await curl(proxy, 'alice', '-w', ' %{http_code}', URL);
        assert.equal(stdout, 'insight-dump: The server did not answer in time.\n 504');
        await proxy.said(/flow \/x error upstream IDLE_TIMEOUT/);
      },
      config,
    ));

  it('in the middle of a body gives the client no clean end', () =>
    withRawUpstream(
      (socket) => socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello')),
      async (proxy) => {
        const { code, stdout } = await curl(proxy, 'alice', URL);
        assert.deepEqual([code, stdout], [18, 'hello']);
        await proxy.said(/flow \/x error upstream IDLE_TIMEOUT/);
      },
      config,
    ));
});

describe('an addon that ends an answer that is all here, but not all passed on,', () => {
  // It ends it from outside of the reading and writing: when the request is through, which is after the answer began.
  const addon = `
    let killed;
    const kill = new Promise((resolve) => { killed = resolve; });
    export function responseHeaders(flow) {
      flow.response.transform(async (chunk) => {
        await kill;
        return chunk;
      });
    }
    export function request(flow) {
      flow.kill();
      setTimeout(killed, 100);
    }
  `;

  it('gives the client no clean end', () => {
    let answered = () => {};
    const answer = new Promise<void>((resolve) => {
      answered = resolve;
    });
    const serve = (socket: net.Socket) =>
      socket.once('data', async () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
        await sleep(AFTER_ANSWER_MS);
        socket.write('world', answered);
      });
    const test = async (proxy: ProxyProcess) => {
      const headers = { 'proxy-authorization': basic('alice', proxy.password('alice')) };
      const request = http.request({ port: proxy.port, method: 'POST', path: URL, headers });
      request.write('begun');
      await answer;
      await sleep(AFTER_ANSWER_MS);
      request.end();
      await assert.rejects(once(request, 'response'), { code: 'ECONNRESET' });
      await proxy.said(/flow \/x error addon KILLED/);
    };
    return withRawUpstream(serve, test, RAW_CONFIG.replace("'tell.ts'", "'tell.ts', 'kill.ts'"), { 'kill.ts': addon });
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
      return withRawUpstream(closing(seen), async (proxy) => {
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
    return withRawUpstream(resetting, async (proxy) => {
      const { stdout } = await curl(proxy, 'alice', '--data', 'x', '-o', '/dev/null', '-w', '%{http_code}', URL);
      assert.deepEqual([stdout, connections], ['502', 1]);
    });
  });
});
