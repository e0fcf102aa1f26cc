import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { clientHello } from '../client-hello.ts';
import { connectTo, openTunnel } from '../clients.ts';
import { FIRST, insideAs, startNamed, startProxyFor, textOf, viewOf } from '../named-upstream.ts';
import { makeCredentials, type OwnUpstream } from '../own-upstream.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { inRecords } from '../tls-hello.ts';

const ECHO = '192.0.2.3';
const BANNER = '192.0.2.4';

describe('a tunnel that a server name could have looked into', () => {
  let first: OwnUpstream;
  let echo: net.Server;
  let banner: net.Server;
  let proxy: ProxyProcess;
  let half: Buffer;
  /** Connections that the echo has. */
  const open = new Set<net.Socket>();
  before(async () => {
    first = await startNamed('first', await makeCredentials());
    echo = await listen((socket) => {
      open.add(socket.once('close', () => open.delete(socket)));
      socket.pipe(socket);
    });
    banner = await listen((socket) => void socket.end('SSH-2.0-server\r\n'));
    const ports = { [FIRST]: first.port, [ECHO]: portOf(echo), [BANNER]: portOf(banner) };
    proxy = await startProxyFor(ports, first.ca, { config: `export default { addons: ['look.ts'] };` });
    half = (await clientHello(API_HOST)).subarray(0, 100);
  });
  after(async () => {
    await proxy?.stop();
    await first?.close();
    for (const server of [echo, banner]) server?.close();
  });

  it('lets a server speak first', async () => {
    const socket = await connectTo(proxy, undefined, `${BANNER}:443`);
    assert.equal(await textOf(socket), 'SSH-2.0-server\r\n');
    socket.destroy();
  });

  it('relays what is no TLS', async () => {
    // The last one begins like TLS, with a record of a length that cannot be.
    for (const text of ['EHLO example.com\r\n', '\x00', '\x16', '\x16\x03\x01\xff\xff']) {
      const socket = await connectTo(proxy, undefined, `${ECHO}:443`);
      socket.end(text, 'latin1');
      assert.equal(await textOf(socket), text, text);
    }
  });

  it('is looked into by a ClientHello of any size, in packets and records of any size', async () => {
    for (const pieceBytes of [1, 7, 500]) {
      assert.deepEqual(
        await viewOf(proxy, FIRST, API_HOST, inPieces(pieceBytes)),
        insideAs(API_HOST),
        String(pieceBytes),
      );
    }
    assert.deepEqual(await viewOf(proxy, FIRST, API_HOST, inManyRecords), insideAs(API_HOST));
    // As large as with post-quantum keys, and larger.
    for (const count of [60, 500]) {
      const alpn = Array.from({ length: count }, (_, i) => `protocol-with-a-long-name-${i}`);
      const socket = await openTunnel(proxy, undefined, FIRST, [...alpn, 'http/1.1'], API_HOST);
      assert.equal(socket.getPeerCertificate().issuer.CN, 'insight-dump');
      socket.destroy();
    }
  });

  it('is kept for a client that is silent', async () => {
    const silent = await connectTo(proxy, undefined, `${ECHO}:443`);
    await viewOf(proxy, FIRST, API_HOST);
    silent.write('late');
    assert.equal(String((await once(silent, 'data'))[0]), 'late');
    silent.destroy();
  });

  it('relays half a ClientHello after a while', async () => {
    const socket = await connectTo(proxy, undefined, `${ECHO}:443`);
    socket.write(half);
    assert.deepEqual((await once(socket, 'data'))[0], half);
    socket.destroy();
  });

  it('ends at the server when the client leaves before it has sent a ClientHello', async () => {
    for (const sent of ['', half]) {
      const socket = await connectTo(proxy, undefined, `${ECHO}:443`);
      socket.write(sent);
      await eventually('it is connected', () => open.size > 0);
      socket.resetAndDestroy();
      await eventually('it is not any more', () => open.size === 0);
    }
  });

  it('ends at the client when the server breaks off before that', async () => {
    for (const sent of ['', half]) {
      const socket = await connectTo(proxy, undefined, `${ECHO}:443`);
      socket.write(sent);
      await eventually('it is connected', () => open.size > 0);
      const closed = once(socket, 'close');
      for (const server of open) server.resetAndDestroy();
      socket.resume();
      await closed;
      await eventually('it is not any more', () => open.size === 0);
    }
  });
});

async function listen(onConnection: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    onConnection(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return server;
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

/** A socket that sends what is written first, the ClientHello, in packets of that size. */
function inPieces(pieceBytes: number): (socket: net.Socket) => Duplex {
  return (socket) => sendingFirst(socket, (hello) => piecesOf(hello, pieceBytes));
}

/** One that sends the ClientHello in many TLS records. */
function inManyRecords(socket: net.Socket): Duplex {
  return sendingFirst(socket, (hello) => [inRecords(...piecesOf(hello.subarray(5), 30))]);
}

function piecesOf(bytes: Buffer, pieceBytes: number): Buffer[] {
  const count = Math.ceil(bytes.length / pieceBytes);
  return Array.from({ length: count }, (_, i) => bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes));
}

function sendingFirst(socket: net.Socket, packetsOf: (first: Buffer) => readonly Buffer[]): Duplex {
  let hasBegun = false;
  const wrapped = new Duplex({
    read() {},
    async write(chunk: Buffer, _encoding, done) {
      const packets = hasBegun ? [chunk] : packetsOf(chunk);
      hasBegun = true;
      for (const packet of packets) await new Promise((sent) => socket.write(packet, sent));
      done();
    },
  });
  socket.on('data', (chunk) => wrapped.push(chunk)).on('end', () => wrapped.push(null));
  socket.resume();
  return wrapped;
}
