import assert from 'node:assert/strict';
import { afterEach, before, describe, it } from 'node:test';
import { Http2Pool } from '../../../core/engine/http2-pool.ts';
import type { Http2Request } from '../../../core/engine/http2-request.ts';
import { Headers } from '../../../core/headers.ts';
import { END_STREAM, FRAME, type FrameConnection, type FrameServer, startFrameServer } from '../../http2-frames.ts';
import { type Credentials, makeCredentials } from '../../own-upstream.ts';

const REFUSED_STREAM = 7;

const LIMITS = { keepIdleMs: 60_000, probeIntervalMs: 15_000, probeLimitMs: 10_000 };

const HEAD = {
  target: { scheme: 'https', host: 'a.example', port: 443 },
  method: 'GET',
  path: '/',
  headers: new Headers([['host', 'a.example']]),
  hasBody: false,
  upgrades: false,
} as const;

describe('connections to a server of HTTP/2 that refuses requests', () => {
  let credentials: Credentials;
  let server: FrameServer;
  let pool: Http2Pool;
  before(async () => {
    credentials = await makeCredentials();
  });
  afterEach(async () => {
    pool.close();
    await server.close();
  });

  type Serve = (stream: number, connection: FrameConnection, index: number) => void;

  async function start(serve: Serve, maxStreams?: number): Promise<void> {
    server = await startFrameServer(
      credentials,
      (frame, connection, index) => {
        if (frame.type === FRAME.headers) serve(frame.stream, connection, index);
      },
      maxStreams,
    );
    pool = new Http2Pool(LIMITS);
  }

  /** Makes a request as an exchange does: once more, if it was missed. Says its status, or why there is none. */
  async function ask(connection: 'shared' | 'fresh' = 'shared'): Promise<number | string> {
    try {
      const request = (await pool.request('a', server.connect, HEAD, connection)) as Http2Request;
      request.end();
      return await request.answer().then(
        async ({ status, body }) => {
          await body.resume().toArray();
          return status;
        },
        (error) => (request.wasMissed() && connection === 'shared' ? ask('fresh') : error.code),
      );
    } catch (error) {
      return (error as { code: string }).code;
    }
  }

  const refuse: Serve = (stream, connection) => connection.reset(stream, REFUSED_STREAM);
  const answer: Serve = (stream, connection) => connection.sendHead(stream, END_STREAM);

  it('are two when it refuses all, one after the other or at once', async () => {
    await start(refuse);
    assert.equal(await ask(), 'ERR_HTTP2_STREAM_ERROR');
    assert.equal(await ask(), 'serverRefuses');
    assert.deepEqual(new Set(await Promise.all(Array.from({ length: 20 }, () => ask()))), new Set(['serverRefuses']));
    assert.equal(server.connections.length, 2);
  });

  it('are two when many are refused that were the first', async () => {
    await start(refuse);
    // Some come to the second connection before it has refused one, and some may not.
    for (const code of await Promise.all(Array.from({ length: 20 }, () => ask())))
      assert.match(String(code), /^(ERR_HTTP2_STREAM_ERROR|serverRefuses)$/);
    assert.equal(server.connections.length, 2);
  });

  it('are used again once it takes requests', async () => {
    let refuses = true;
    await start((...request) => (refuses ? refuse(...request) : answer(...request)));
    await ask();
    assert.equal(await ask(), 'serverRefuses');
    refuses = false;
    assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => ask())), Array(20).fill(200));
    assert.equal(server.connections.length, 2);
  });

  it('that takes them on another connection is asked there', async () => {
    await start((stream, connection, index) => (index === 0 ? refuse : answer)(stream, connection, index));
    for (let i = 0; i < 5; i++) assert.equal(await ask(), 200);
    assert.equal(server.connections.length, 2);
  });

  it('are as many as it takes when it refuses what is more than it takes at once', async () => {
    const active = new Map<number, number>();
    await start((stream, connection, index) => {
      const now = active.get(index) ?? 0;
      if (now >= 2) return refuse(stream, connection, index);
      active.set(index, now + 1);
      setTimeout(() => {
        active.set(index, (active.get(index) ?? 0) - 1);
        answer(stream, connection, index);
      }, 300);
    }, 2);
    assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => ask())), Array(20).fill(200));
    assert.ok(server.connections.length <= 10, `${server.connections.length} connections`);
  });
});
