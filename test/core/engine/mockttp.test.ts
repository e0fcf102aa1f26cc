import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import tls from 'node:tls';
import { type CertificateAuthority, loadCertificateAuthority } from '../../../core/engine/ca.ts';
import { type InterceptedRequest, Interceptor } from '../../../core/engine/mockttp.ts';
import { MemoryLog } from '../../kit.ts';
import { makeFolder } from '../../proxy-process.ts';

const TARGET = { host: 'api.example.com', port: 8443 };
const LIMIT_MS = 10_000;
const GRANTED = 'HTTP/1.1 200 OK\r\n\r\n';

/**
 * One test for each unwritten thing of mockttp that `core/engine/mockttp.ts` stands on. When one fails after an upgrade,
 * that thing has changed.
 */
describe('mockttp, as we use it', () => {
  let folder: string;
  let ca: CertificateAuthority;
  let interceptor: Interceptor;
  let door: http.Server;
  const log = new MemoryLog();
  const requests: InterceptedRequest[] = [];
  const upgrades: InterceptedRequest[] = [];
  const failures: string[] = [];
  const sockets: net.Socket[] = [];
  const held: http2.ServerHttp2Stream[] = [];
  let responseMethods: string[] = [];

  before(async () => {
    folder = makeFolder();
    ca = await loadCertificateAuthority(folder);
    interceptor = await Interceptor.start(
      ca,
      {
        async request(request, stream, response) {
          requests.push(request);
          if (request.path === '/held')
            return void held.push((response as unknown as http2.Http2ServerResponse).stream);
          responseMethods = ['write', 'end', 'writeHead'].filter((method) => Object.hasOwn(response, method));
          stream.resume();
          (response as unknown as http2.Http2ServerResponse).writeHead(200, { 'x-a': '1' });
          (response as unknown as http2.Http2ServerResponse).end('ok');
        },
        async upgrade(request, socket) {
          upgrades.push(request);
          socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
        },
      },
      log.child(),
    );
    door = http.createServer().on('connect', (_request, socket, head) => {
      socket.on('error', () => {});
      socket.write(GRANTED);
      if (head.length > 0) socket.unshift(head);
      sockets.push(socket as net.Socket);
      interceptor.take(socket as net.Socket, TARGET, 'connection-1', (cause) => void failures.push(cause));
    });
    await once(door.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => {
    door.close();
    rmSync(folder, { recursive: true });
  });

  const open = async () => {
    const { port } = door.address() as net.AddressInfo;
    const raw = net.connect(port, '127.0.0.1');
    raw.write('CONNECT api.example.com:8443 HTTP/1.1\r\n\r\n');
    await once(raw, 'data');
    return raw;
  };
  const connect = async (alpn: string[]) => {
    const socket = tls.connect({
      socket: await open(),
      servername: 'api.example.com',
      ca: ca.cert,
      ALPNProtocols: alpn,
    });
    await once(socket, 'secureConnect');
    return socket;
  };

  it('never listens on a port', () => {
    const handles = (process as unknown as { _getActiveHandles(): object[] })._getActiveHandles();
    const listening = handles.filter((handle) => handle instanceof net.Server && handle.listening);
    assert.deepEqual(listening, [door]);
  });

  it('takes a socket that has been read from, and answers h1 in it with certificates of our CA', async () => {
    const socket = await connect(['http/1.1']);
    assert.equal(socket.getPeerCertificate().subjectaltname, 'DNS:api.example.com');
    socket.write('POST /path?q HTTP/1.1\r\nHost: other\r\nX-B: 1\r\nx-b: 2\r\nContent-Length: 2\r\n\r\nhi');
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1\.1 200 OK\r\nx-a: 1\r\n/);
    socket.destroy();
    const request = requests.at(-1);
    assert.deepEqual(request, {
      connection: 'connection-1',
      scheme: 'https',
      method: 'POST',
      path: '/path?q',
      httpVersion: '1.1',
      headers: [
        ['Host', 'other'],
        ['X-B', '1'],
        ['x-b', '2'],
        ['Content-Length', '2'],
      ],
    });
  });

  it('tells of what carries TLS, so that a connection that has lost a write is ended', async () => {
    const raw = await open();
    raw.on('error', () => {});
    const secure = tls.connect({ socket: raw, servername: 'api.example.com', ca: ca.cert, ALPNProtocols: ['h2'] });
    secure.on('error', () => {});
    const session = http2.connect('https://api.example.com', { createConnection: () => secure });
    session.on('error', () => {});
    for (let i = 0; i < 4; i++) session.request({ ':method': 'POST', ':path': '/held' }).on('error', () => {});
    while (held.length < 4) await turn();
    await turn();
    const closed = once(sockets.at(-1) as net.Socket, 'close', { signal: AbortSignal.timeout(LIMIT_MS) });
    raw.resetAndDestroy();
    for (const stream of held) stream.close(http2.constants.NGHTTP2_CANCEL);
    await closed;
  });

  it('answers h2 in it, with the same identity', async () => {
    const socket = await connect(['h2']);
    const session = http2.connect('https://api.example.com', { createConnection: () => socket });
    const stream = session.request({ ':path': '/h2', 'x-b': 'y' });
    const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
    assert.equal(headers['x-a'], '1');
    session.destroy();
    const { connection, path, httpVersion, headers: received } = requests.at(-1) as InterceptedRequest;
    assert.deepEqual([connection, path, httpVersion], ['connection-1', '/h2', '2.0']);
    assert.deepEqual(
      received.find(([name]) => name === 'x-b'),
      ['x-b', 'y'],
    );
  });

  it('hands over responses without its tracking of what is written', async () => {
    const socket = await connect(['http/1.1']);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    assert.deepEqual(responseMethods, []);
  });

  it('hands over upgrades', async () => {
    const socket = await connect(['http/1.1']);
    socket.write('GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1\.1 101/);
    socket.destroy();
    assert.deepEqual(
      [upgrades[0]?.connection, upgrades[0]?.scheme, upgrades[0]?.path],
      ['connection-1', 'https', '/ws'],
    );
  });

  it('grants no tunnel within a tunnel, of h1', async () => {
    const socket = await connect(['http/1.1']);
    socket.write('CONNECT internal.example:443 HTTP/1.1\r\nHost: internal.example:443\r\n\r\n');
    const [head] = (await once(socket, 'data')) as [Buffer];
    assert.match(head.toString(), /^HTTP\/1\.1 405 Method Not Allowed\r\nx-insight-dump: TUNNEL_IN_TUNNEL\r\n/);
    await once(socket, 'close');
  });

  it('grants no tunnel within a tunnel, of h2, whose other streams go on', async () => {
    const socket = await connect(['h2']);
    const session = http2.connect('https://api.example.com', { createConnection: () => socket });
    const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'internal.example:443' });
    const [refused] = (await once(tunnel, 'response')) as [http2.IncomingHttpHeaders];
    assert.equal(refused[':status'], 405);
    const [headers] = (await once(session.request({ ':path': '/h2' }), 'response')) as [http2.IncomingHttpHeaders];
    assert.equal(headers['x-a'], '1');
    session.destroy();
  });

  it('does not take the word of a client for who it is', async () => {
    const socket = await connect(['http/1.1']);
    const metadata = Buffer.from(`metadata:${JSON.stringify({ tags: ['connection-2'] })}`).toString('base64');
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic ${metadata}\r\n\r\n`);
    await once(socket, 'data');
    assert.equal(requests.at(-1)?.connection, 'connection-1');
    socket.destroy();
  });

  it('says when a client refuses our certificate, and whose it is', async () => {
    const socket = tls.connect({ socket: await open(), servername: 'api.example.com' });
    await once(socket, 'error');
    const end = Date.now() + 5_000;
    while (failures.length === 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(failures.length, 1);
  });
});
