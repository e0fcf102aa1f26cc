import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { ask, openSession, openTunnel } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import {
  END_STREAM,
  FRAME,
  type Frame,
  type FrameConnection,
  type FrameServer,
  startFrameServer,
} from '../http2-frames.ts';
import { type Credentials, makeCredentials } from '../own-upstream.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { TELL } from '../telling.ts';

const MUCH_BYTES = 500_000;
const NOTICED_LIMIT_MS = 10_000;

const CONFIG = `export default {
  addons: ['addons/auth.ts', 'tell.ts'], options: { auth: { users: ['alice', 'bob'] } },
};`;

/** A proxy to which all of the world is that port. */
function startProxy(port: number, ca: string, config = CONFIG): Promise<ProxyProcess> {
  return ProxyProcess.start({
    args: ['--connect-to', `::127.0.0.1:${port}`, '--upstream-ca', 'ca.pem'],
    config,
    files: { 'tell.ts': TELL, 'ca.pem': ca },
  });
}

describe('a server that speaks HTTP/2', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  before(async () => {
    fake = await startFakeCopilot();
    proxy = await startProxy(fake.port, fake.ca);
  });
  after(async () => {
    await proxy.stop();
    await fake.close();
  });

  const seen = (path: string) => fake.requests.find((each) => each.path === path);

  it('is spoken to in the version of the client', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    await ask(session, { ':path': '/of-h2' });
    session.close();
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.write(`GET /of-h1 HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: close\r\n\r\n`);
    await once(socket.resume(), 'end');
    assert.equal(seen('/of-h2')?.httpVersion, '2.0');
    assert.equal(seen('/of-h1')?.httpVersion, '1.1');
    await proxy.said(/flow \/of-h2 response 200 2\.0/);
    await proxy.said(/flow \/of-h1 response 200 1\.1/);
  });

  it('shares one connection among all users', async () => {
    const before = fake.connections;
    const users = Array.from({ length: 10 }, async (_, i) => {
      const session = await openSession(proxy, i % 2 === 0 ? 'alice' : 'bob', API_HOST);
      const answers = Array.from({ length: 10 }, (_, j) => ask(session, { ':path': `/shared-${i}/${j}` }));
      const statuses = (await Promise.all(answers)).map(({ status }) => status);
      session.close();
      return statuses;
    });
    assert.deepEqual((await Promise.all(users)).flat(), Array(100).fill(200));
    assert.ok(fake.connections - before <= 1, `${fake.connections - before} more connections`);
  });

  it('gets headers with their duplicates, and cookies as one', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    await ask(session, {
      ':path': '/fields',
      ':authority': API_HOST,
      'x-a': ['1', '2'],
      cookie: ['a=1', 'b=2'],
      te: 'trailers',
    });
    session.close();
    const { headers } = seen('/fields') ?? assert.fail('not seen');
    assert.equal(headers[':authority'], API_HOST);
    assert.equal(headers['x-a'], '1, 2');
    assert.equal(headers.cookie, 'a=1; b=2');
    assert.equal(headers.te, undefined);
    assert.equal(headers['proxy-authorization'], undefined);
  });
});

describe('a server that does not speak HTTP/2', () => {
  it('is reached by the connection on which it said so', async (t) => {
    const credentials = await makeCredentials();
    const { createServer } = await import('node:https');
    let connections = 0;
    const server = createServer({ key: credentials.key, cert: credentials.cert }, (request, response) =>
      response.end(request.httpVersion),
    ).on('secureConnection', () => {
      connections += 1;
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => server.close());
    const proxy = await startProxy((server.address() as net.AddressInfo).port, credentials.ca);
    t.after(() => proxy.stop());
    const session = await openSession(proxy, 'alice', API_HOST);
    for (let i = 0; i < 3; i++) {
      const { status, body } = await ask(session, { ':path': '/' });
      assert.deepEqual([status, body], [200, '1.1']);
    }
    session.close();
    assert.equal(connections, 1);
  });
});

describe('what comes before and behind answers', () => {
  let server: http2.Http2SecureServer;
  let plain: http.Server;
  let proxy: ProxyProcess;
  const received: Record<string, unknown> = {};
  const MAX_STREAMS = 2;
  let open = 0;
  let mostOpen = 0;

  before(async () => {
    const { key, cert, ca } = await makeCredentials();
    server = http2.createSecureServer({ key, cert, settings: { maxConcurrentStreams: MAX_STREAMS } });
    server.on('stream', (stream: http2.ServerHttp2Stream, { ':path': path }) => {
      open += 1;
      mostOpen = Math.max(mostOpen, open);
      stream.once('close', () => {
        open -= 1;
      });
      stream.on('error', () => {});
      stream.on('trailers', (trailers) => {
        received[String(path)] = trailers['x-sum'];
      });
      if (path === '/hints') stream.additionalHeaders({ ':status': 103, link: '</a>; rel=preload', 'x-hint': '1' });
      stream.respond({ ':status': 200 }, { waitForTrailers: path === '/trailers' });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-after': 'all' }));
      stream.resume().on('end', () => setTimeout(() => stream.end('done'), 50));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    plain = http.createServer((_request, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</a>; rel=preload', 'x-hint': '1' });
      response.end('done');
    });
    await once(plain.listen(0, '127.0.0.1'), 'listening');
    const { port } = plain.address() as net.AddressInfo;
    proxy = await ProxyProcess.start({
      args: [
        ...['--connect-to', `:80:127.0.0.1:${port}`],
        ...['--connect-to', `:443:127.0.0.1:${(server.address() as net.AddressInfo).port}`],
        ...['--upstream-ca', 'ca.pem'],
      ],
      config: CONFIG,
      files: { 'tell.ts': TELL, 'ca.pem': ca },
    });
  });
  after(async () => {
    await proxy.stop();
    plain.close();
    server.close();
  });

  it('trailers of requests and answers pass over HTTP/2', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const stream = session.request({ ':method': 'POST', ':path': '/trailers' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '42' }));
    stream.end('body');
    const trailers = once(stream, 'trailers') as Promise<[http2.IncomingHttpHeaders]>;
    stream.resume();
    const [after] = await trailers;
    session.close();
    assert.equal(after['x-after'], 'all');
    assert.equal(received['/trailers'], '42');
  });

  it('interim answers pass over HTTP/2', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const stream = session.request({ ':path': '/hints' });
    const interim = once(stream, 'headers') as Promise<[http2.IncomingHttpHeaders & { ':status'?: number }]>;
    const [{ ':status': status, link, 'x-hint': hint }] = await interim;
    await once(stream.resume(), 'end');
    session.close();
    assert.deepEqual([status, link, hint], [103, '</a>; rel=preload', '1']);
  });

  it('interim answers pass over HTTP/1.1, but not to clients of HTTP/1.0', async () => {
    for (const [version, expected] of [
      ['1.1', [102, 103]],
      ['1.0', []],
    ] as const) {
      const login = Buffer.from(`alice:${proxy.password('alice')}`).toString('base64');
      const socket = (await import('node:net')).connect(proxy.port, '127.0.0.1');
      socket.write(
        `GET http://plain.example/ HTTP/${version}\r\nHost: plain.example\r\nConnection: close\r\nProxy-Authorization: Basic ${login}\r\n\r\n`,
      );
      const chunks: Buffer[] = [];
      for await (const chunk of socket) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      assert.deepEqual(
        [...text.matchAll(/^HTTP\/1\.1 (1\d\d) \w/gm)].map(([, status]) => Number(status)),
        expected,
      );
      assert.match(text, /HTTP\/1\.1 200 OK\r\n[\s\S]*done/);
      if (version === '1.1') assert.match(text, /\r\nx-hint: 1\r\n/i);
    }
  });

  it('more requests than a connection takes at once have further connections', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(session, { ':path': `/many-${i}` })));
    session.close();
    assert.deepEqual(
      answers.map(({ body }) => body),
      Array(20).fill('done'),
    );
    assert.ok(mostOpen > MAX_STREAMS, `at most ${mostOpen} at once`);
  });
});

describe('an HTTP/2 server that breaks off', () => {
  let server: FrameServer;
  let proxy: ProxyProcess;
  let session: http2.ClientHttp2Session;
  let serve: (stream: number, connection: FrameConnection) => void;
  before(async () => {
    const credentials = await makeCredentials();
    server = await startFrameServer(credentials, ({ type, stream }, connection) => {
      if (type === FRAME.headers) serve(stream, connection);
    });
    proxy = await startProxy(server.port, credentials.ca);
    session = await openSession(proxy, 'alice', API_HOST);
  });
  after(async () => {
    session.destroy();
    await proxy.stop();
    await server.close();
  });

  /** Waits for what must not take as long as it does until a server is asked whether it is still there. */
  async function noticed<T>(outcome: Promise<T>): Promise<T> {
    const began = performance.now();
    const value = await outcome;
    assert.ok(performance.now() - began < NOTICED_LIMIT_MS, 'it was not noticed at once');
    return value;
  }

  const breaks: readonly [what: string, then: (stream: number, connection: FrameConnection) => void][] = [
    ['RST_STREAM 0', (stream, connection) => connection.reset(stream, 0)],
    ['RST_STREAM 2', (stream, connection) => connection.reset(stream, 2)],
    ['RST_STREAM 8', (stream, connection) => connection.reset(stream, 8)],
    ['the end of its connection', (_stream, { socket }) => socket.end()],
    ['a reset connection', (_stream, { socket }) => socket.destroy()],
    ['a GOAWAY with an error', (stream, connection) => connection.goAway(stream, 1)],
    [
      'a frame against the rules, and then the end of its connection',
      (_stream, connection) => {
        // Pings have eight bytes (RFC 9113, section 6.7).
        connection.send(FRAME.ping, 0, 0, Buffer.alloc(7));
        setTimeout(() => connection.socket.end(), 30);
      },
    ],
  ];
  for (const [i, [what, then]] of breaks.entries()) {
    it(`in the middle of a body, by ${what}, gives the client no clean end`, async () => {
      serve = (stream, connection) => {
        connection.sendHead(stream);
        connection.sendData(stream, 'half');
        setTimeout(() => then(stream, connection), 30);
      };
      await noticed(assert.rejects(ask(session, { ':path': `/body-${i}` })));
      await proxy.said(new RegExp(`flow /body-${i} error upstream `));
      assert.doesNotMatch(proxy.output, /unhandled error/);
    });

    it(`before the head, by ${what}, gives the client a 502`, async () => {
      serve = then;
      const { status, body } = await noticed(ask(session, { ':path': `/head-${i}` }));
      assert.deepEqual([status, body], [502, 'insight-dump: The server could not be reached, or broke off.\n']);
      await proxy.said(new RegExp(`flow /head-${i} error upstream `));
      assert.doesNotMatch(proxy.output, /unhandled error/);
    });
  }
});

/** Each test has a proxy and a server of its own, and waits more than it works. */
const MISBEHAVING_AT_ONCE = 3;

describe('an HTTP/2 server that misbehaves', { concurrency: MISBEHAVING_AT_ONCE }, () => {
  let credentials: Credentials;
  before(async () => {
    credentials = await makeCredentials();
  });

  type Serve = (stream: number, connection: FrameConnection, index: number) => void;

  /** Runs a test against a server that is told of each request, once its head is here. */
  async function against(
    serve: Serve,
    test: (session: http2.ClientHttp2Session, proxy: ProxyProcess, connections: readonly FrameConnection[]) => unknown,
    onData: (frame: Frame, connection: FrameConnection) => void = () => {},
    config = CONFIG,
  ): Promise<void> {
    const server = await startFrameServer(credentials, (frame, connection, index) => {
      if (frame.type === FRAME.headers) serve(frame.stream, connection, index);
      if (frame.type === FRAME.data) onData(frame, connection);
    });
    const proxy = await startProxy(server.port, credentials.ca, config);
    const session = await openSession(proxy, 'alice', API_HOST);
    try {
      await test(session, proxy, server.connections);
    } finally {
      session.destroy();
      await proxy.stop();
      await server.close();
    }
  }

  const GET = { ':path': '/x' };

  it('falls silent, which gives the client a 504, or no clean end of an answer that has begun', () =>
    against(
      (stream, connection) => {
        if (stream === 1) return;
        connection.sendHead(stream);
        connection.sendData(stream, 'half');
      },
      async (session, proxy) => {
        const { status, headers, body } = await ask(session, { ':path': '/silent' });
        assert.deepEqual([status, headers['x-insight-dump']], [504, 'IDLE_TIMEOUT']);
        assert.equal(body, 'insight-dump: The server did not answer in time.\n');
        await proxy.said(/flow \/silent error upstream IDLE_TIMEOUT/);
        await assert.rejects(ask(session, { ':path': '/half' }));
        await proxy.said(/flow \/half error upstream IDLE_TIMEOUT/);
      },
      undefined,
      CONFIG.replace('addons:', 'idleTimeoutMs: 300, addons:'),
    ));

  it('answers early and wants no more of the request: the answer is whole', () =>
    against(
      (stream, connection) => {
        connection.sendHead(stream);
        connection.sendData(stream, 'too large', END_STREAM);
        connection.reset(stream, 0);
      },
      async (session, proxy) => {
        const stream = session.request({ ':method': 'POST', ':path': '/x' });
        stream.on('error', () => {});
        stream.write('a beginning');
        let text = '';
        for await (const chunk of stream) text += chunk;
        assert.equal(text, 'too large');
        await proxy.said(/flow \/x response 200/);
      },
    ));

  it('wants no more of a request, and does not answer it: the client gets a 502', () =>
    against(
      (stream, connection) => connection.reset(stream, 0),
      async (session, proxy) => {
        const stream = session.request({ ':method': 'POST', ':path': '/x' });
        stream.on('error', () => {});
        // More than is on its way before the server says how much it takes.
        stream.write('x'.repeat(MUCH_BYTES));
        const [{ ':status': status }] = (await once(stream, 'response', { signal: AbortSignal.timeout(10_000) })) as [
          { ':status'?: number },
        ];
        assert.equal(status, 502);
        await proxy.said(/flow \/x error upstream /);
      },
    ));

  const missed: readonly [what: string, refuse: (stream: number, connection: FrameConnection) => void][] = [
    ['refuses a request', (stream, connection) => connection.reset(stream, 7)],
    ['goes away before it has taken up a request', (_stream, connection) => connection.goAway(0)],
  ];
  for (const [what, refuse] of missed) {
    it(`${what}: it is made once more, with its body`, () =>
      against(
        (stream, connection, index) => {
          if (index === 0) refuse(stream, connection);
        },
        async (session) => {
          const { body } = await ask(session, { ':method': 'POST', ':path': '/x' }, 'the body');
          assert.equal(body, 'got the body');
        },
        ({ stream, payload }, connection) => {
          connection.sendHead(stream);
          connection.sendData(stream, `got ${payload}`, END_STREAM);
        },
      ));
  }

  it('refuses all requests: each gives its client a 502, and two connections are all that is opened', () =>
    against(
      (stream, connection) => connection.reset(stream, 7),
      async (session, proxy, connections) => {
        const one = await ask(session, GET);
        const more = await Promise.all(Array.from({ length: 20 }, () => ask(session, { ':path': '/y' })));
        assert.deepEqual(new Set([one, ...more].map(({ status }) => status)), new Set([502]));
        assert.equal(connections.length, 2);
        await proxy.said(/flow \/y error upstream serverRefuses/);
        await proxy.said(/serverRefuses: the server takes no requests \(REFUSED_STREAM\)/);
      },
    ));

  it('has closed an idle connection without a word: the next request has another', () =>
    against(
      (stream, connection, index) => {
        // The first connection is good for one request.
        if (index === 0 && stream > 1) return connection.socket.destroy();
        connection.sendHead(stream);
        connection.sendData(stream, `by ${index}`, END_STREAM);
      },
      async (session) => {
        assert.equal((await ask(session, GET)).body, 'by 0');
        assert.equal((await ask(session, GET)).body, 'by 1');
      },
    ));

  it('has vanished while a connection was idle: that is found out, and the next request has another', () =>
    against(
      (stream, connection, index) => {
        if (index === 0 && stream > 1) return;
        connection.sendHead(stream);
        connection.sendData(stream, `by ${index}`, END_STREAM);
      },
      async (session, _proxy, connections) => {
        assert.equal((await ask(session, GET)).body, 'by 0');
        (connections[0] as FrameConnection).isDeaf = true;
        // Longer than for a moment: only then there is doubt.
        await new Promise((resolve) => setTimeout(resolve, 1_100));
        assert.equal((await ask(session, GET)).body, 'by 1');
      },
    ));

  it('is told that a client has left, by RST_STREAM CANCEL', async () => {
    const codes: number[] = [];
    const server = await startFrameServer(credentials, ({ type, stream, payload }, connection) => {
      if (type === FRAME.headers) {
        connection.sendHead(stream);
        connection.sendData(stream, 'some');
      } else if (type === FRAME.reset) codes.push(payload.readUInt32BE());
    });
    const proxy = await startProxy(server.port, credentials.ca);
    const session = await openSession(proxy, 'alice', API_HOST);
    const stream = session.request(GET);
    await once(stream, 'data');
    stream.close(8);
    await eventually('the reset', () => codes.length > 0, 1_000);
    assert.deepEqual(codes, [8]);
    session.destroy();
    await proxy.stop();
    await server.close();
  });
});
