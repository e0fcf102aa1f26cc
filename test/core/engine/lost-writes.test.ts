import assert from 'node:assert/strict';
import { once } from 'node:events';
import http2, { constants, type ServerHttp2Stream } from 'node:http2';
import net from 'node:net';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import tls from 'node:tls';
import { endOnLostWrite } from '../../../core/engine/lost-writes.ts';
import { makeCertificate } from '../../certificates.ts';

const SECOND_MS = 1_000;
const STREAMS = 4;
/** More than the system takes at once. */
const MUCH_BYTES = 16 * 1024 * 1024;

interface End {
  readonly below: net.Socket;
  readonly secure: tls.TLSSocket;
}

describe('a TLS connection', () => {
  const toClose: (() => void)[] = [];
  beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
  afterEach(() => {
    for (const close of toClose.splice(0)) close();
    mock.timers.reset();
  });

  /** Opens one. `serve` gets the server's end of it as soon as it is there. */
  async function open(serve: (secure: tls.TLSSocket) => void): Promise<{ near: End; far: End }> {
    const { key, cert } = await makeCertificate(['example.com']);
    const tlsServer = tls.createServer({ key, cert, ALPNProtocols: ['h2'] });
    const server = net.createServer((below) =>
      tlsServer.emit(
        'connection',
        below.on('error', () => {}),
      ),
    );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as net.AddressInfo;
    const below = net.connect(port, '127.0.0.1').on('error', () => {});
    const secure = tls.connect({ socket: below, rejectUnauthorized: false, ALPNProtocols: ['h2'] });
    const far = { below, secure: secure.on('error', () => {}) };
    const [accepted] = (await once(server, 'connection')) as [net.Socket];
    toClose.push(
      () => below.destroy(),
      () => accepted.destroy(),
      () => server.close(),
    );
    const [secured] = (await once(tlsServer.on('secureConnection', serve), 'secureConnection')) as [tls.TLSSocket];
    const near = { below: accepted, secure: secured.on('error', () => {}) };
    endOnLostWrite(near.secure, near.below);
    return { near, far };
  }

  it('that has lost a write, and so never notices that its client has gone, is ended at the second look', async () => {
    const streams: ServerHttp2Stream[] = [];
    const server = http2.createServer().on('stream', (stream) => {
      stream.on('error', () => {});
      streams.push(stream);
    });
    const { near, far } = await open((secure) => server.emit('connection', secure));
    const session = http2.connect('https://example.com', { createConnection: () => far.secure });
    session.on('error', () => {});
    for (let i = 0; i < STREAMS; i++) session.request({ ':method': 'POST', ':path': '/' }).on('error', () => {});
    while (streams.length < STREAMS) await turn();
    await turn();
    far.below.resetAndDestroy();
    // Each of these writes at once: the first is refused, and the others wait for it from then on.
    for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL);
    for (let i = 0; i < 10; i++) await turn();
    mock.timers.tick(SECOND_MS);
    assert.equal(near.below.destroyed, false);
    mock.timers.tick(SECOND_MS);
    assert.equal(near.below.destroyed, true);
  });

  it('whose client reads nothing for long goes on, and loses nothing', async () => {
    const { near, far } = await open(() => {});
    near.secure.write(Buffer.alloc(MUCH_BYTES));
    for (let i = 0; i < 10; i++) {
      await turn();
      mock.timers.tick(SECOND_MS);
    }
    assert.ok(near.secure.writableLength > 0, 'the client was not slow');
    let receivedBytes = 0;
    for await (const chunk of far.secure) {
      receivedBytes += chunk.length;
      if (receivedBytes === MUCH_BYTES) break;
    }
    assert.equal(receivedBytes, MUCH_BYTES);
  });
});
