import assert from 'node:assert/strict';
import { once } from 'node:events';
import type http from 'node:http';
import http2 from 'node:http2';
import type net from 'node:net';
import { after, before, describe, it } from 'node:test';
import zlib from 'node:zlib';
import { ask, basic, type ClientAnswer, curl, openSession, openTunnel, RawConnection, VERSIONS } from '../clients.ts';
import { leadingTo, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { RAW_CONFIG, type RawUpstream, setRawStage, withRawUpstream } from '../raw-upstream.ts';
import { API_HOST } from '../requests.ts';
import { configOf } from '../tagging.ts';

/** Says how flows end, and what of their bodies can be read. */
const READ = `
  export function error({ request, error }, ctx) {
    ctx.log.info('failed ' + [request.path, error.by, error.code, error.message].join(' '));
  }
  export function response({ request, response: { status, body } }, ctx) {
    ctx.log.info('read ' + request.path + ' ' + status + ' ' + JSON.stringify(body.text()));
  }
`;

const TEXT = '{"text":"return  x 你好 👩‍💻"}';
const CODED: readonly (readonly [coding: string, wire: Buffer])[] = [
  ['gzip', zlib.gzipSync(TEXT)],
  ['br', zlib.brotliCompressSync(TEXT)],
  ['deflate', zlib.deflateSync(TEXT)],
  // Some send it without the frame that the name stands for (RFC 9110, section 8.4.1.2).
  ['deflate', zlib.deflateRawSync(TEXT)],
  ['zstd', zstdOf(TEXT)],
  ['gzip, br', zlib.brotliCompressSync(zlib.gzipSync(TEXT))],
];

/** A frame of one raw block (RFC 8878, section 3.1.1): Node 20 can make no other. */
function zstdOf(text: string): Buffer {
  const content = Buffer.from(text);
  const header = Buffer.alloc(3);
  header.writeUIntLE((content.length << 3) | 1, 0, 3);
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]), header, content]);
}

/** Is served by itself. */
const NEXT = '/next';

describe('an answer', () => {
  let upstream: OwnUpstream;
  let proxy: ProxyProcess;
  let answer: http.RequestListener;
  let seen: http.IncomingMessage;
  before(async () => {
    const serve: http.RequestListener = (request, response) => {
      if (request.url === NEXT) return response.end('next');
      seen = request;
      answer(request, response);
    };
    upstream = await startOwnUpstream(serve, undefined, 'h2');
    const { args, files } = leadingTo(upstream);
    proxy = await ProxyProcess.start({ args, config: configOf(`'read.ts'`), files: { 'read.ts': READ, ...files } });
  });
  after(async () => {
    await proxy?.stop();
    await upstream?.close();
  });

  for (const [version, open] of Object.entries(VERSIONS)) {
    /** One answer; and another on the same connection, which is at the right place. */
    const askTwice = async (head: http.OutgoingHttpHeaders): Promise<ClientAnswer> => {
      const connection = await open(proxy, API_HOST);
      const first = await connection.ask(head);
      assert.equal(seen.httpVersion, version === 'HTTP/2' ? '2.0' : '1.1');
      const { status, body } = await connection.ask({ ':path': NEXT });
      assert.deepEqual([status, body], [200, 'next']);
      connection.close();
      return first;
    };
    const addonsRead = (path: string, status: number, body: string) =>
      eventually(
        () => `${path} ${status} ${body} in\n${proxy.output}`,
        () => proxy.output.includes(`read ${path} ${status} ${JSON.stringify(body)}\n`),
      );

    it(`has as many fields as its server sends, over ${version}`, async () => {
      answer = (_request, response) => {
        for (let i = 0; i < 500; i++) response.setHeader(`x-${i}`, i);
        response.end('many');
      };
      const { status, headers, body } = await askTwice({ ':path': '/fields' });
      assert.deepEqual([status, body, headers['x-499']], [200, 'many', '499']);
    });

    it(`with a head over 64 KiB is a 502, of which the log says why, over ${version}`, async () => {
      answer = (_request, response) => {
        for (let i = 0; i < 7; i++) response.setHeader(`x-${i}`, 'x'.repeat(10_000));
        response.end('large');
      };
      const path = `/large-${version}`;
      const { status, headers, body } = await askTwice({ ':path': path });
      const code = version === 'HTTP/2' ? 'enhanceYourCalm' : 'answerHeadTooLarge';
      assert.deepEqual([status, headers['x-insight-dump']], [502, code]);
      assert.equal(body, 'insight-dump: The server could not be reached, or broke off.\n');
      await proxy.said(
        new RegExp(`failed ${path} upstream ${code} .*the head of the answer is larger than the 65536 bytes`),
      );
    });

    it(`to HEAD has the length that GET would have, and no body, over ${version}`, async () => {
      answer = (_request, response) => response.writeHead(200, { 'content-length': 5, etag: '"e"' }).end();
      const path = `/head-${version}`;
      const { status, headers, bytes } = await askTwice({ ':method': 'HEAD', ':path': path });
      assert.deepEqual([status, headers['content-length'], headers.etag, bytes.length], [200, '5', '"e"', 0]);
      await addonsRead(path, 200, '');
    });

    it(`to HEAD that never comes is given up when the client leaves, over ${version}`, async () => {
      let ended = false;
      answer = (_request, response) => {
        // HTTP/2's compatibility layer does not tell of a HEAD.
        const { stream } = response as unknown as Partial<http2.Http2ServerResponse>;
        (stream ?? response).once('close', () => {
          ended = true;
        });
      };
      const path = `/gone-${version}`;
      const connection = await open(proxy, API_HOST);
      connection.ask({ ':method': 'HEAD', ':path': path }).catch(() => {});
      await eventually('the server has it', () => seen.url === path);
      connection.close();
      await eventually('the server is told', () => ended, 1_000);
      await proxy.said(new RegExp(`failed ${path} client CLIENT_CLOSED`));
    });

    it(`of 204 has no body and no length, over ${version}`, async () => {
      answer = (_request, response) => response.writeHead(204, { 'x-a': '1' }).end();
      const path = `/204-${version}`;
      const { status, headers, bytes } = await askTwice({ ':method': 'DELETE', ':path': path });
      assert.deepEqual([status, headers['x-a'], bytes.length], [204, '1', 0]);
      assert.equal(headers['content-length'] ?? headers['transfer-encoding'], undefined);
      await addonsRead(path, 204, '');
    });

    it(`of 304 has the fields of what it stands for, and no body, over ${version}`, async () => {
      answer = (_request, response) => response.writeHead(304, { etag: '"e"', 'content-length': 99 }).end();
      const path = `/304-${version}`;
      const { status, headers, bytes } = await askTwice({ ':path': path, 'if-none-match': '"e"' });
      assert.deepEqual([status, headers.etag, bytes.length], [304, '"e"', 0]);
      assert.equal(seen.headers['if-none-match'], '"e"');
      await addonsRead(path, 304, '');
    });

    it(`of 206 is the part that was asked for, over ${version}`, async () => {
      answer = (_request, response) => response.writeHead(206, { 'content-range': 'bytes 2-4/10' }).end('cde');
      const path = `/206-${version}`;
      const asked = { range: 'bytes=2-4', 'if-range': '"e"' };
      const { status, headers, body } = await askTwice({ ':path': path, ...asked });
      assert.deepEqual([status, headers['content-range'], body], [206, 'bytes 2-4/10', 'cde']);
      assert.deepEqual([seen.headers.range, seen.headers['if-range']], [asked.range, asked['if-range']]);
      await addonsRead(path, 206, 'cde');
    });

    it(`of 416 passes as any other, over ${version}`, async () => {
      answer = (_request, response) => response.writeHead(416, { 'content-range': 'bytes */10' }).end();
      const { status, headers } = await askTwice({ ':path': '/416', range: 'bytes=20-' });
      assert.deepEqual([status, headers['content-range']], [416, 'bytes */10']);
    });

    for (const [coding, wire] of CODED) {
      it(`in ${coding} passes untouched, and addons read it decoded, over ${version}`, async () => {
        answer = (_request, response) => response.writeHead(200, { 'content-encoding': coding }).end(wire);
        const path = `/${coding.replaceAll(', ', '-')}-${wire.length}-${version}`;
        const { headers, bytes } = await askTwice({ ':path': path, 'accept-encoding': coding });
        assert.equal(headers['content-encoding'], coding);
        assert.ok(bytes.equals(wire));
        assert.equal(seen.headers['accept-encoding'], coding);
        await addonsRead(path, 200, TEXT);
      });
    }

    it(`that is streamed as application/json arrives piece by piece, over ${version}`, async () => {
      let response: http.ServerResponse | undefined;
      answer = (_request, given) => {
        response = given.writeHead(200, { 'content-type': 'application/json' });
        given.write('data: 0\n\n');
      };
      const path = `/json-${version}`;
      const connection = await open(proxy, API_HOST);
      let received = '';
      const stream = await connection.stream({ ':path': path });
      stream.on('data', (data) => {
        received += data;
      });
      // Each is written only once the one before is with the client.
      for (let i = 1; i < 5; i++) {
        await eventually(`piece ${i}`, () => received.endsWith(`data: ${i - 1}\n\n`));
        response?.write(`data: ${i}\n\n`);
      }
      await eventually('the last', () => received.endsWith('data: 4\n\n'));
      response?.end();
      await addonsRead(path, 200, received);
      connection.close();
    });
  }
});

describe('an answer of HTTP/1.1', () => {
  let proxy: ProxyProcess;
  let upstream: RawUpstream;
  setRawStage(RAW_CONFIG, (stage) => {
    ({ proxy, upstream } = stage);
  });

  for (const [what, answer, args, expected] of [
    [
      'nothing behind the head, to HEAD',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
      ['-I'],
      /^HTTP\/1\.1 200 OK\r\nContent-Length: 5\r\n/,
    ],
    ['204', 'HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n', ['-i'], /^HTTP\/1\.1 204 No Content\r\nX-A: 1\r\n/],
    [
      '304',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "x"\r\n\r\n',
      ['-i'],
      /^HTTP\/1\.1 304 Not Modified\r\n.*ETag: "x"\r\n/s,
    ],
    [
      'a reason of its own',
      'HTTP/1.1 299 Odd But Fine\r\nContent-Length: 0\r\n\r\n',
      ['-i'],
      /^HTTP\/1\.1 299 Odd But Fine\r\n/,
    ],
    [
      'fields that are there twice',
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
    it(`passes as it is, with ${what}`, async () => {
      upstream.serve = (socket) => socket.on('data', () => socket.end(answer));
      const since = proxy.output.length;
      const { code, stdout } = await curl(proxy, 'alice', ...args, 'http://plain.example/x');
      assert.equal(code, 0);
      assert.match(stdout, expected);
      await proxy.said(/flow \/x response/, since);
    });
  }

  it('leaves in one piece when it came in one', async () => {
    const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n';
    upstream.serve = (socket) => socket.once('data', () => socket.write(answer));
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.write(`GET /x HTTP/1.1\r\nHost: ${API_HOST}\r\n\r\n`);
    const [first] = await once(socket, 'data');
    socket.destroy();
    assert.match(String(first), /^HTTP\/1\.1 200 OK\r\n.*\r\n2\r\nok\r\n0\r\n\r\n$/s);
  });
});

describe('between a client of HTTP/2 and a server of HTTP/1.1', () => {
  let proxy: ProxyProcess;
  let upstream: RawUpstream;
  setRawStage(RAW_CONFIG, (stage) => {
    ({ proxy, upstream } = stage);
  });

  it('a request has as many fields as its client sends', async () => {
    let seen = '';
    upstream.serve = (socket) =>
      socket.on('data', (data) => {
        seen += data;
        if (seen.endsWith('\r\n\r\n')) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      });
    const session = await openSession(proxy, 'alice', API_HOST);
    const fields = Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`x-${i}`, '']));
    const { status } = await ask(session, { ':path': '/x', ...fields });
    session.destroy();
    assert.equal(status, 200);
    assert.equal(seen.match(/\r\nx-\d+: /g)?.length, 900);
  });

  it('an answer has as many fields as 64 KiB hold, though HTTP/2 counts more for each', async () => {
    const fields = Array.from({ length: 6_000 }, (_, i) => `x${i}: y\r\n`).join('');
    assert.ok(fields.length < 64 * 1024);
    upstream.serve = (socket) =>
      socket.on('data', () => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${fields}\r\n`));
    const socket = await openTunnel(proxy, 'alice', API_HOST, ['h2']);
    const session = http2.connect(`https://${API_HOST}`, {
      createConnection: () => socket,
      maxHeaderListPairs: 10_000,
      settings: { maxHeaderListSize: 1_000_000 },
    });
    const { status, headers } = await ask(session, { ':path': '/x' });
    session.destroy();
    assert.deepEqual([status, headers.x5999], [200, 'y']);
    await proxy.said(/flow \/x response/);
  });
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
    return withRawUpstream(upstream, async (proxy) => {
      const connection = await RawConnection.open(proxy.port);
      const login = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
      const head = [
        `POST http://plain.example/x HTTP/1.1`,
        'Host: x',
        login,
        'Transfer-Encoding: chunked',
        'Trailer: X-Sum',
      ];
      connection.socket.write(`${head.join('\r\n')}\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n`);
      assert.equal((await connection.answer()).status, 200);
      assert.match(seen, /\r\nTrailer: X-Sum\r\n.*\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n$/s);
      connection.socket.destroy();
    });
  });
});
