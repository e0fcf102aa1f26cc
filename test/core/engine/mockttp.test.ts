import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { after, before, describe, it, type TestContext } from 'node:test';
import tls from 'node:tls';
import mockttp from 'mockttp';
import * as matchers from 'mockttp/dist/rules/matchers';
import * as webSocketSteps from 'mockttp/dist/rules/websockets/websocket-step-definitions';
import * as serving from 'mockttp/dist/server/mockttp-server';
import * as certificates from 'mockttp/dist/util/certificates';
import { type InterceptedRequest, Interceptor } from '../../../core/engine/mockttp.ts';
import { adapt, type ComboServer, serverThatNeverListens, takeRequests } from '../../../core/engine/mockttp-server.ts';
import { makeTlsServer } from '../../../core/engine/tls-server.ts';
import { makeAuthority } from '../../certificates.ts';
import { MemoryLog } from '../../kit.ts';
import { eventually } from '../../proxy-process.ts';

const NAME = 'api.example.com';

/** A test that waits in vain says so, and leaves the others alone. */
const PATIENCE_MS = 8_000;

/**
 * One test for each unwritten thing of mockttp that `core/engine/mockttp.ts` lists. When one fails after an upgrade, that
 * thing has changed; `mockttp-doctored.test.ts` sees to it that it does. They do without TLS where they can, lest all of
 * them fail with it.
 */
describe('mockttp, as we use it', { concurrency: true, timeout: PATIENCE_MS * 3 }, () => {
  let ca: { key: string; cert: string; certFile: string; created: boolean };
  /** By what `take()` was given for their tunnel. */
  const requests = new Map<string, InterceptedRequest>();
  const responses = new Map<string, http.ServerResponse>();
  const upgrades = new Map<string, { request: InterceptedRequest; socket: net.Socket }>();
  const failures = new Map<string, string>();
  const log = new MemoryLog();
  let server: ComboServer | undefined;
  let interceptor: Interceptor | undefined;
  let startError: unknown;
  let door: http.Server;

  before(async () => {
    ca = { ...(await makeAuthority('A CA')), certFile: '', created: false };
    const proxy = mockttp.getLocal();
    const made = serverThatNeverListens(proxy);
    await proxy.start(0);
    // What is amiss there is for the tests of it to say.
    server = attempt(made);
    interceptor = await Interceptor.start(ca, { request: answer, upgrade }, log.child()).catch((error) => {
      startError = error;
      return undefined;
    });
    door = http.createServer().on('connect', ({ url }, socket, head) => {
      const connection = url?.split(':')[0] ?? '';
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      if (head.length > 0) socket.unshift(head);
      interceptor?.take(socket as net.Socket, connection, (cause) => failures.set(connection, cause));
    });
    await once(door.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => door.close());

  async function answer(request: InterceptedRequest, stream: AsyncIterable<unknown>, response: unknown): Promise<void> {
    const { connection } = request;
    requests.set(connection, request);
    responses.set(connection, response as http.ServerResponse);
    for await (const _ of stream);
    (response as http.ServerResponse).writeHead(200, { 'x-a': '1' });
    (response as http.ServerResponse).end('ok');
  }
  async function upgrade(request: InterceptedRequest, socket: net.Socket): Promise<void> {
    upgrades.set(request.connection, { request, socket });
    if (request.path === '/throw') throw new Error('thrown on purpose');
    socket.end('HTTP/1.1 101 Switching Protocols\r\n\r\n');
  }

  /** A tunnel, with bytes that come in the same packet as the wish for it. */
  const open = async (connection: string, bytes = '') => {
    const socket = net.connect((door.address() as net.AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`CONNECT ${connection}:8443 HTTP/1.1\r\n\r\n${bytes}`);
    let text = '';
    while (!text.includes('\r\n\r\n')) text += ((await once(socket, 'data')) as [Buffer])[0].toString();
    return { socket, text: text.slice(text.indexOf('\r\n\r\n') + 4) };
  };
  /** What comes back first in a tunnel in the clear. */
  const ask = async (connection: string, request: string) => {
    const { socket, text } = await open(connection, request);
    const answered = text || ((await once(socket, 'data')) as [Buffer])[0].toString();
    socket.destroy();
    return answered;
  };
  const secure = async (connection: string, alpn: string) => {
    const { socket } = await open(connection);
    const wrapped = tls.connect({ socket, servername: NAME, ca: ca.cert, ALPNProtocols: [alpn] });
    await once(wrapped, 'secureConnect');
    return wrapped;
  };
  const secureSession = async (connection: string) => {
    const socket = await secure(connection, 'h2');
    return http2.connect(`https://${NAME}`, { createConnection: () => socket });
  };
  const GET = 'GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n';

  /** A test of one thing, which has nothing to say where there is no interceptor: another test says why. */
  const holds = (thing: string, test: () => void | Promise<void>) =>
    it(thing, { timeout: PATIENCE_MS }, (t: TestContext) =>
      interceptor === undefined ? t.skip('it could not be started') : test(),
    );

  it('can be started', () => assert.equal(startError, undefined));

  it('exports what we take from the files of it that have it', () => {
    assert.ok(mockttp.getLocal() instanceof serving.MockttpServer);
    assert.equal(mockttp.matchers.WildcardMatcher, matchers.WildcardMatcher);
    assert.equal(mockttp.webSocketSteps.PassThroughWebSocketStep, webSocketSteps.PassThroughWebSocketStep);
    assert.equal(mockttp.generateCACertificate, certificates.generateCACertificate);
  });

  it('assigns its server to `server` before that is told to listen', () => {
    assert.notEqual(server, undefined);
    const handles = (process as unknown as { _getActiveHandles(): object[] })._getActiveHandles();
    const listening = handles.filter((handle) => handle instanceof net.Server && handle.listening);
    assert.deepEqual(listening, [door]);
  });

  it("has Node's servers in `_httpServer` and `_http2Server` of it, and what turns TLS away in `_tlsServer`", (t) => {
    if (server === undefined) return t.skip('there is no server');
    assert.equal(server._tlsServer instanceof tls.Server, false);
    assert.equal(typeof server._tlsServer?.emit, 'function');
    assert.ok(server._httpServer instanceof http.Server);
    assert.equal(typeof server._http2Server?.updateSettings, 'function');
  });

  it('has nothing but listeners of that server for `connect` and `clientError`', async (t) => {
    if (server?._httpServer === undefined) return t.skip('there is no server');
    adapt(server, () => makeTlsServer(ca));
    for (const [each, event] of [
      [server._httpServer, 'connect'],
      [server._http2Server, 'connect'],
      [server._httpServer, 'clientError'],
    ] as const) {
      assert.equal(each.listenerCount(event), 1, event);
    }
  });

  it('has nothing but listeners of Node’s servers for requests', async (t) => {
    if (server?._httpServer === undefined) return t.skip('there is no server');
    const asked: string[] = [];
    takeRequests(server, ({ url = '' }) => asked.push(url));
    for (const each of [server._httpServer, server._http2Server] as EventEmitter[]) {
      const continued: string[] = [];
      for (const event of ['request', 'checkContinue', 'checkExpectation'])
        each.emit(event, { url: event }, { writeContinue: () => continued.push(event) });
      assert.deepEqual(asked.splice(0), ['request', 'checkContinue', 'checkExpectation']);
      assert.deepEqual(continued, ['checkContinue']);
    }
  });

  holds('takes a socket by `connection`, also when it has been read from', async () => {
    assert.match(await ask('taken', GET), /^HTTP\/1\.1 \d/);
  });

  holds('takes a socket by `tlsListener` whose TLS we have ended, for h1', async () => {
    const socket = await secure('secure-h1', 'http/1.1');
    socket.write(GET);
    assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 \d/);
    socket.destroy();
  });

  holds('takes a socket by `tlsListener` whose TLS we have ended, for h2', async () => {
    const session = await secureSession('secure-h2');
    const [headers] = (await once(session.request({ ':path': '/' }), 'response')) as [http2.IncomingHttpStatusHeader];
    assert.equal(typeof headers[':status'], 'number');
    session.destroy();
  });

  holds('tells by `tls-client-error` at which address a handshake failed', async () => {
    const { socket } = await open('distrust');
    tls.connect({ socket, servername: NAME }).on('error', () => {});
    await eventually('the failure is told', () => failures.has('distrust'), PATIENCE_MS);
  });

  holds('grants no tunnel within a tunnel, of h1', async () => {
    const answered = await ask('nested', 'CONNECT internal.example:443 HTTP/1.1\r\nHost: internal.example:443\r\n\r\n');
    assert.match(answered, /^HTTP\/1\.1 405 Method Not Allowed\r\nx-insight-dump: TUNNEL_IN_TUNNEL\r\n/);
  });

  holds('grants no tunnel within a tunnel, of h2, whose other streams go on', async () => {
    const session = await secureSession('nested-h2');
    const tunnel = session.request({ ':method': 'CONNECT', ':authority': 'internal.example:443' });
    const [refused] = (await once(tunnel, 'response')) as [http2.IncomingHttpStatusHeader];
    assert.equal(refused[':status'], 405);
    await once(session.request({ ':path': '/h2' }), 'response');
    session.destroy();
  });

  holds('leaves what comes behind a body as Node has it', async () => {
    await ask('trailers', 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n');
    const session = await secureSession('trailers-h2');
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '2' }));
    await once(stream.end('body').resume(), 'end');
    session.destroy();
    assert.deepEqual(requests.get('trailers')?.trailers(), [['X-Sum', '1']]);
    assert.deepEqual(requests.get('trailers-h2')?.trailers(), [['x-sum', '2']]);
  });

  const UPGRADE = GET.replace('\r\n\r\n', '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');

  holds('has TLS in a socket bring what that has in `SocketMetadata`', async () => {
    const socket = await secure('tagged-h1', 'http/1.1');
    socket.write(GET);
    await once(socket, 'data');
    socket.destroy();
    const session = await secureSession('tagged-h2');
    await once(session.request({ ':path': '/' }), 'response');
    session.destroy();
    assert.deepEqual(
      ['tagged-h1', 'tagged-h2'].map((connection) => requests.get(connection)?.connection),
      ['tagged-h1', 'tagged-h2'],
    );
  });

  holds('has each upgrade bring the tags of its socket by `SocketMetadata`', async () => {
    await ask('tagged', UPGRADE);
    assert.equal(upgrades.get('tagged')?.request.connection, 'tagged');
  });

  holds('does not take the word of a client for who it is', async () => {
    const metadata = Buffer.from(`metadata:${JSON.stringify({ tags: ['forged'] })}`).toString('base64');
    const login = `Proxy-Authorization: Basic ${metadata}\r\n\r\n`;
    await ask('honest', GET.replace('\r\n\r\n', `\r\n${login}`));
    await ask('honest-upgrade', UPGRADE.replace('\r\n\r\n', `\r\n${login}`));
    assert.equal(requests.has('forged') || upgrades.has('forged'), false);
  });

  holds('makes nothing of a `Host` where `LastTunnelAddress` is set', async () => {
    assert.match(await ask('garbage-host', UPGRADE.replace('Host: x', 'Host: a b[:x')), /^HTTP\/1\.1 101 /);
  });

  holds('sees of upgrades what listeners before its own have made of them', async () => {
    assert.match(await ask('garbage-target', UPGRADE.replace('/a?b', 'http://[:x/path')), /^HTTP\/1\.1 101 /);
  });

  holds("hands over Node's own request of an upgrade, with its headers in pairs", async () => {
    await ask('described', UPGRADE.replace('Host: x', 'Host: x\r\nX-B: 1\r\nx-b: 2'));
    const headers = [
      ['Host', 'x'],
      ['X-B', '1'],
      ['x-b', '2'],
      ['Connection', 'Upgrade'],
      ['Upgrade', 'websocket'],
    ];
    const described = { scheme: 'http', method: 'GET', path: '/a?b', httpVersion: '1.1', headers };
    const { trailers: _, ...request } = upgrades.get('described')?.request ?? assert.fail('no upgrade');
    assert.deepEqual(request, { connection: 'described', ...described });
  });

  holds("calls a WebSocket step's own `handle`", async () => {
    assert.match(await ask('websocket', UPGRADE), /^HTTP\/1\.1 101 /);
    assert.equal(upgrades.get('websocket')?.request.path, '/a?b');
  });

  holds('does nothing to the answer of a request', async () => {
    await ask('untracked', GET);
    const response = responses.get('untracked');
    for (const method of ['writeHead', 'write', 'end', 'addTrailers', 'getHeaders'] as const) {
      assert.equal(response?.[method], http.ServerResponse.prototype[method], method);
      assert.equal(Object.hasOwn(response, method), false, method);
    }
  });

  holds('keeps track of sockets to be upgraded by own methods of theirs only, which go', async () => {
    await ask('untracked-socket', UPGRADE);
    const socket = upgrades.get('untracked-socket')?.socket ?? {};
    assert.deepEqual(
      ['write', '_write', '_writev', 'end'].filter((method) => Object.hasOwn(socket, method)),
      [],
    );
  });

  holds('says on the console, out of a folder of its name, what it has to say', async () => {
    await ask('console', UPGRADE.replace('/a?b', '/throw'));
    const said = () => log.lines.some(({ message }) => /^mockttp: .*thrown on purpose/.test(message));
    await eventually('it is in the log', said, PATIENCE_MS);
  });
});

function attempt<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}
