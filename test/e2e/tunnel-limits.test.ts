import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2 from 'node:http2';
import type net from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientHello } from '../client-hello.ts';
import { ask, basic, openTunnel, RawConnection } from '../clients.ts';
import { FRAME, frameOf, PREFACE } from '../http2-frames.ts';
import type { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

/** Half a minute, a few seconds until that is noticed, and a busy machine. */
const LIMIT_MS = 60_000;

/** Longer than it may take until a first request. */
const IDLE_MS = 36_000;

/** A head that is not over, byte by byte: whoever only looks for silence waits for good. */
const DRIP_EVERY_MS = 1_000;

// By the static table of HPACK (RFC 7541, appendix A).
const METHOD_GET = Buffer.from([0x82]);
const PATH_ROOT = Buffer.from([0x84]);

describe('a tunnel in which no request comes to be', { concurrency: true }, () => {
  let proxy: ProxyProcess;
  setStage({}, undefined, (stage) => {
    ({ proxy } = stage);
  });
  const raw = async () => {
    const connection = await RawConnection.open(proxy.port);
    const login = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
    await connection.ask(`CONNECT ${API_HOST}:443 HTTP/1.1`, `Host: ${API_HOST}:443`, login);
    return connection.socket;
  };
  const closed = async (socket: net.Socket) => {
    socket.on('error', () => {});
    const late = AbortSignal.timeout(LIMIT_MS);
    if (!socket.destroyed)
      await Promise.race([new Promise((resolve) => socket.once('close', resolve)), rejected(late)]);
  };
  const drip = async (socket: { destroyed: boolean; write(bytes: Buffer): void }, bytes: () => Buffer) => {
    while (!socket.destroyed) {
      socket.write(bytes());
      await sleep(DRIP_EVERY_MS);
    }
  };

  it('is closed when nothing is sent in it', async () => {
    await closed(await raw());
  });

  it('is closed when its TLS handshake does not go on', async () => {
    const socket = await raw();
    socket.write((await clientHello(API_HOST)).subarray(0, 50));
    await closed(socket);
  });

  it('is closed when nothing is sent within its TLS', async () => {
    await closed(await openTunnel(proxy, 'alice', API_HOST, []));
  });

  it('is answered with a 408 when a request head has no end', async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    let text = '';
    socket.setEncoding('latin1').on('data', (more) => {
      text += more;
    });
    socket.write(`GET / HTTP/1.1\r\nHost: ${API_HOST}\r\nX: `);
    await Promise.all([drip(socket, () => Buffer.from('x')), closed(socket)]);
    assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\nx-insight-dump: REQUEST_TIMEOUT\r\n/);
  });

  it('is closed when it is of h2 and nothing is asked', async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST, ['h2']);
    const session = http2.connect(`https://${API_HOST}`, { createConnection: () => socket });
    session.on('error', () => {});
    const away = once(session, 'goaway');
    await closed(socket);
    await away;
  });

  const beginHeaders = async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST, ['h2']);
    socket.on('data', () => {});
    socket.write(PREFACE);
    socket.write(frameOf(FRAME.settings, 0, 0));
    socket.write(frameOf(FRAME.headers, 0, 1, METHOD_GET));
    return socket;
  };

  it('is closed when headers of h2 go on and on', async () => {
    const socket = await beginHeaders();
    socket.write(Buffer.concat(Array.from({ length: 10_000 }, () => frameOf(FRAME.continuation, 0, 1, PATH_ROOT))));
    await closed(socket);
  });

  it('is closed when headers of h2 go on now and then', async () => {
    const socket = await beginHeaders();
    await Promise.all([drip(socket, () => frameOf(FRAME.continuation, 0, 1, PATH_ROOT)), closed(socket)]);
  });

  it('is kept for a while when a request has come in it', async () => {
    const h1 = await openTunnel(proxy, 'alice', API_HOST);
    const h2 = await openTunnel(proxy, 'alice', API_HOST, ['h2']);
    const session = http2.connect(`https://${API_HOST}`, { createConnection: () => h2 });
    for (const time of ['before', 'after']) {
      if (time === 'after') await sleep(IDLE_MS);
      h1.write(`GET /models HTTP/1.1\r\nHost: ${API_HOST}\r\n\r\n`);
      const [answer] = (await once(h1, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
      assert.equal((await ask(session, { ':path': '/models' })).status, 200);
    }
    session.destroy();
    h1.destroy();
  });
});

function rejected(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('it is still open'))));
}
