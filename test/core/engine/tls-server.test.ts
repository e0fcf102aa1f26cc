import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import tls from 'node:tls';
import { type CertificateAuthority, loadCertificateAuthority } from '../../../core/engine/ca.ts';
import { makeTlsServer } from '../../../core/engine/tls-server.ts';
import { clientHelloNaming } from '../../client-hello.ts';
import { makeFolder } from '../../proxy-process.ts';

describe("the end of clients' TLS", () => {
  let folder: string;
  let ca: CertificateAuthority;
  let server: tls.Server;
  let door: net.Server;
  const faults: unknown[] = [];
  const onFault = (fault: unknown) => void faults.push(fault);
  before(async () => {
    process.on('unhandledRejection', onFault);
    folder = makeFolder();
    ca = await loadCertificateAuthority(folder);
    server = await makeTlsServer(ca);
    server.on('secureConnection', (socket) => socket.on('error', () => {}).end('hello'));
    door = net.createServer((socket) => {
      socket.on('error', () => {});
      server.emit('connection', socket);
    });
    await once(door.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => {
    process.off('unhandledRejection', onFault);
    door.close();
    rmSync(folder, { recursive: true });
  });

  const port = () => (door.address() as net.AddressInfo).port;
  const connect = async (options: tls.ConnectionOptions) => {
    const socket = tls.connect({ port: port(), host: '127.0.0.1', ca: ca.cert, ...options });
    await once(socket, 'secureConnect');
    socket.resume();
    return socket;
  };

  for (const [name, expected] of [
    ['api.example.com', 'DNS:api.example.com'],
    ['API.Example.COM', 'DNS:api.example.com'],
    ['under_score.example.com', 'DNS:under_score.example.com'],
    [`${'x'.repeat(63)}.example.com`, `DNS:${'x'.repeat(63)}.example.com`],
  ] as const) {
    it(`has a certificate that clients accept for ${name}`, async () => {
      const socket = await connect({ servername: name });
      assert.equal(socket.getPeerCertificate().subjectaltname, expected);
      socket.destroy();
    });
  }

  it('gives up a connection that has lost a write, since it would never notice that its client has gone', async () => {
    const streams: http2.ServerHttp2Stream[] = [];
    const speaking = http2.createServer().on('stream', (stream) => streams.push(stream.on('error', () => {})));
    const ending = (await makeTlsServer(ca)).on('secureConnection', (secure) => speaking.emit('connection', secure));
    let below: net.Socket | undefined;
    const entrance = net.createServer((socket) => {
      below = socket.on('error', () => {});
      ending.emit('connection', socket);
    });
    await once(entrance.listen(0, '127.0.0.1'), 'listening');
    const raw = net.connect((entrance.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {});
    const secure = tls.connect({ socket: raw, servername: 'a.example', ca: ca.cert, ALPNProtocols: ['h2'] });
    const session = http2.connect('https://a.example', { createConnection: () => secure.on('error', () => {}) });
    session.on('error', () => {});
    for (let i = 0; i < 4; i++) session.request({ ':method': 'POST' }).on('error', () => {});
    while (streams.length < 4) await turn();
    await turn();
    const closed = once(below as net.Socket, 'close', { signal: AbortSignal.timeout(10_000) });
    raw.resetAndDestroy();
    for (const stream of streams) stream.close(http2.constants.NGHTTP2_CANCEL);
    await closed;
    entrance.close();
  });

  it('has one that nobody accepts for a client that names no host', async () => {
    const socket = await connect({ servername: '', rejectUnauthorized: false });
    assert.equal(socket.getPeerCertificate().subjectaltname, 'DNS:insight-dump.invalid');
    socket.destroy();
  });

  for (const [offered, expected] of [
    [['http/1.1', 'h2'], 'h2'],
    [['http/1.1'], 'http/1.1'],
    [['http 1.1'], 'http 1.1'],
    [['http/1.0'], 'http/1.0'],
    [undefined, false],
  ] as const) {
    it(`speaks ${expected || 'what it is spoken to'} with a client that offers ${offered ?? 'nothing'}`, async () => {
      const socket = await connect({ servername: 'a.example.com', ...(offered && { ALPNProtocols: [...offered] }) });
      assert.equal(socket.alpnProtocol, expected);
      socket.destroy();
    });
  }

  for (const [what, name] of [
    ['300 characters', Buffer.from(`${'x'.repeat(59)}.`.repeat(5))],
    ['255 characters', Buffer.from(`${'x'.repeat(59)}.`.repeat(5).slice(0, 255))],
    ['nothing', Buffer.alloc(0)],
    ['a dot', Buffer.from('.')],
    ['a trailing dot', Buffer.from('api.example.com.')],
    ['an address', Buffer.from('127.0.0.1')],
    ['an IPv6 address', Buffer.from('::1')],
    ['blanks', Buffer.from('api example com')],
    ['a wildcard', Buffer.from('*.example.com')],
    ['a zero byte', Buffer.from('api.example.com\0.evil.example')],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x80, 0x00, 0xc3])],
    ['line breaks', Buffer.from('a\r\nX: y')],
    ['what objects have', Buffer.from('__proto__')],
  ] as const) {
    it(`goes on with the handshake, or ends it properly, for a client that names ${what}`, async () => {
      const socket = net.connect(port(), '127.0.0.1');
      socket.on('error', () => {});
      socket.write(await clientHelloNaming(name));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      // A handshake message, or an alert (RFC 8446, section 5.1).
      assert.ok([0x16, 0x15].includes(answer[0] ?? 0), answer.toString('hex'));
      (await connect({ servername: 'after.example.com' })).destroy();
      assert.deepEqual(faults, []);
    });
  }
});
