import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import net from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type tls from 'node:tls';
import { WebSocket as UndiciWebSocket } from 'undici';
import { WebSocket, WebSocketServer } from 'ws';
import { basic, curl, openTunnel, proxyAgent } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

/** Does what the request's path says, and tells each hook on the log as `<path> <hook>`. */
const SCRIPT = `
  import { setTimeout as sleep } from 'node:timers/promises';
  import { defineAddon } from 'insight-dump';

  const acts: Record<string, Record<string, (flow: any, more: any) => unknown>> = {
    '/edit': { websocketMessage: (_flow, message) => { message.text = message.from + ' said ' + message.text; } },
    '/edit-binary': { websocketMessage: (_flow, message) => { message.content = message.content.toReversed(); } },
    '/drop': { websocketMessage: (_flow, message) => { if (message.text === 'secret') message.drop(); } },
    '/async': { websocketMessage: (_flow, message) => sleep(message.text.endsWith('0') ? 20 : 1) },
    '/slow': { websocketMessage: () => sleep(100) },
    '/stuck': { websocketMessage: () => sleep(2_500) },
    '/throw': { websocketMessage: () => { throw new Error('oh no'); } },
    '/kill': { websocketMessage: (flow) => flow.kill() },
    '/nonsense': { websocketMessage: (_flow, message) => { message.content = 'text' as any; } },
    '/respond': { requestHeaders: (flow) => flow.respond({ status: 418, body: 'teapot' }) },
    '/respond-late': { responseHeaders: (flow) => flow.respond({ status: 403, body: 'no' }) },
    '/status': { responseHeaders: (flow) => { flow.response.status = 403; } },
    '/kill-request': { requestHeaders: (flow) => flow.kill() },
    '/kill-response': { responseHeaders: (flow) => flow.kill() },
    '/elsewhere': { requestHeaders: (flow) => { flow.request.url = 'https://api.enterprise.githubcopilot.com/there'; } },
    '/headers': {
      requestHeaders: (flow) => flow.request.headers.set('x-set', 'by addon'),
      responseHeaders: (flow) => flow.response.headers.set('x-answer', 'by addon'),
    },
  };
  const hook = (name: string) => (flow: any, ...more: any[]) => {
    const ctx = more.at(-1);
    const end = flow.error && name === 'error' ? ' by ' + flow.error.by + ' ' + flow.error.code : '';
    const close = name === 'websocketEnd' ? ' by ' + more[0].by + ' ' + more[0].code + ' "' + more[0].reason + '"' : '';
    const message = name === 'websocketMessage' ? ' from ' + more[0].from + (more[0].isText ? ' text ' : ' binary ') + more[0].content.length : '';
    ctx.log.info(flow.request.path + ' ' + name + end + close + message);
    return acts[flow.request.path]?.[name]?.(flow, more[0]);
  };
  const names = ['requestHeaders', 'request', 'responseHeaders', 'response', 'error', 'websocketStart', 'websocketMessage', 'websocketEnd'];
  export default defineAddon(Object.fromEntries(names.map((name) => [name, hook(name)])));
`;

const config = (addon: string | object, more: object = {}) =>
  `export default ${JSON.stringify({ addons: ['addons/auth.ts', addon], options: { auth: { users: ['alice'] } }, flowDetail: 0, ...more })};`;

/** The connection that a client made. */
function socketOf(webSocket: WebSocket): tls.TLSSocket {
  return (webSocket as unknown as { _socket: tls.TLSSocket })._socket;
}

/** Of a TLS connection, only the socket below can be reset. */
function resetBelowTls(webSocket: WebSocket): void {
  (socketOf(webSocket) as unknown as { _parent: net.Socket })._parent.resetAndDestroy();
}

/** A WebSocket server in the place of the fake's upgrades, and what comes to it. */
class Server {
  readonly #server = new WebSocketServer({ noServer: true, perMessageDeflate: true, maxPayload: 0 });
  readonly requests: IncomingMessage[] = [];
  readonly sockets: WebSocket[] = [];

  constructor(fake: FakeCopilot) {
    fake.upgrade = (request, socket, head) => {
      this.requests.push(request);
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => {});
        this.sockets.push(webSocket);
      });
    };
  }
}

async function open(
  proxy: ProxyProcess,
  path: string,
  options: { perMessageDeflate?: boolean } = {},
): Promise<WebSocket> {
  const socket = await openTunnel(proxy, 'alice', API_HOST);
  const webSocket = new WebSocket(`wss://${API_HOST}${path}`, {
    createConnection: () => socket,
    maxPayload: 0,
    ...options,
  });
  webSocket.on('error', () => {});
  await once(webSocket, 'open');
  return webSocket;
}

/** All messages from now on, as text. */
function messagesOf(webSocket: WebSocket): string[] {
  const messages: string[] = [];
  webSocket.on('message', (content: Buffer, isBinary: boolean) => messages.push((isBinary ? 'binary ' : '') + content));
  return messages;
}

async function closing(webSocket: WebSocket): Promise<[code: number, reason: string]> {
  const [code, reason] = (await once(webSocket, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}

describe('a WebSocket whose messages an addon sees', () => {
  let proxy: ProxyProcess;
  let server: Server;
  setStage({ config: config('acts.ts'), files: { 'acts.ts': SCRIPT } }, undefined, (stage) => {
    ({ proxy } = stage);
    server = new Server(stage.fake);
  });

  /** A client and its server, through the proxy. */
  const connect = async (path: string): Promise<{ client: WebSocket; upstream: WebSocket }> => {
    const client = await open(proxy, path);
    return { client, upstream: server.sockets.at(-1) as WebSocket };
  };

  it('passes text, binary and empty messages both ways, as they are', async () => {
    const { client, upstream } = await connect('/plain');
    const [atClient, atServer] = [messagesOf(client), messagesOf(upstream)];
    for (const [from, to] of [
      [client, atServer],
      [upstream, atClient],
    ] as const) {
      from.send('你好 👩‍💻');
      from.send(Buffer.from('bytes'));
      from.send('');
      await eventually('messages', () => to.length === 3);
      assert.deepEqual(to, ['你好 👩‍💻', 'binary bytes', '']);
    }
    client.terminate();
  });

  it('is told by hooks in their order', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/order');
    client.send('one');
    await once(upstream, 'message');
    client.close(1000, 'done');
    await proxy.said(/\/order websocketEnd/, since);
    const told = [...proxy.output.slice(since).matchAll(/\/order (.*)/g)].map(([, what]) => what);
    assert.deepEqual(told, [
      'requestHeaders',
      'request',
      'responseHeaders',
      'response',
      'websocketStart',
      'websocketMessage from client text 3',
      'websocketEnd by client 1000 "done"',
    ]);
  });

  it('puts fragments together', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/fragments');
    const messages = messagesOf(upstream);
    client.send('one ', { fin: false });
    client.ping();
    client.send('and ', { fin: false });
    client.send('all');
    await eventually('the message', () => messages.length === 1);
    assert.deepEqual(messages, ['one and all']);
    assert.match(proxy.output.slice(since), /websocketMessage from client text 11/);
    client.terminate();
  });

  it('passes messages of 5 MB both ways', async () => {
    const { client, upstream } = await connect('/large');
    const large = Buffer.alloc(5_000_000, 'no two pieces are the same: 0123456789');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.send(large);
      const [content] = (await once(to, 'message')) as [Buffer];
      assert.ok(content.equals(large));
    }
    client.terminate();
  });

  it('passes what an addon makes of text', async () => {
    const { client, upstream } = await connect('/edit');
    client.send('é');
    assert.equal(String((await once(upstream, 'message'))[0]), 'client said é');
    upstream.send('hello');
    assert.equal(String((await once(client, 'message'))[0]), 'server said hello');
    client.terminate();
  });

  it('passes what an addon makes of bytes', async () => {
    const { client, upstream } = await connect('/edit-binary');
    client.send(Buffer.from('abc'));
    assert.deepEqual(await once(upstream, 'message'), [Buffer.from('cba'), true]);
    client.terminate();
  });

  it('does not pass what an addon drops', async () => {
    const { client, upstream } = await connect('/drop');
    const messages = messagesOf(upstream);
    for (const text of ['one', 'secret', 'two']) client.send(text);
    await eventually('messages', () => messages.length === 2);
    assert.deepEqual(messages, ['one', 'two']);
    client.terminate();
  });

  it('keeps the order when hooks take their time', async () => {
    const { client, upstream } = await connect('/async');
    const sent = Array.from({ length: 40 }, (_, i) => `message ${i}`);
    const received = messagesOf(upstream);
    for (const text of sent) client.send(text);
    await eventually('messages', () => received.length === sent.length);
    assert.deepEqual(received, sent);
    client.terminate();
  });

  it('goes on when a hook throws, and passes the message as it is', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/throw');
    client.send('anyway');
    assert.equal(String((await once(upstream, 'message'))[0]), 'anyway');
    await proxy.said(/websocketMessage failed at acts\.ts.*: oh no/, since);
    client.terminate();
  });

  it('names the line that sets content to something else than bytes', async () => {
    const { client, upstream } = await connect('/nonsense');
    client.send('anyway');
    assert.equal(String((await once(upstream, 'message'))[0]), 'anyway');
    await proxy.said(/websocketMessage failed at acts\.ts.*: content has to be a Uint8Array, not a string/);
    client.terminate();
  });

  it('passes pings and pongs', async () => {
    const { client, upstream } = await connect('/pings');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.ping('are you there');
      const [[asked], [answered]] = await Promise.all([once(to, 'ping'), once(from, 'pong')]);
      assert.equal(String(asked), 'are you there');
      assert.equal(String(answered), 'are you there');
    }
    client.terminate();
  });

  it('is not compressed, so that its messages can be read', async () => {
    const { client } = await connect('/extensions');
    assert.equal(client.extensions, '');
    assert.equal(server.requests.at(-1)?.headers['sec-websocket-extensions'], undefined);
    client.terminate();
  });

  for (const [who, code, reason, told] of [
    ['client', 1000, 'done', '1000 "done"'],
    ['client', 4321, '再见', '4321 "再见"'],
    ['client', undefined, '', '1005 ""'],
    ['server', 1011, 'broken', '1011 "broken"'],
    ['server', undefined, '', '1005 ""'],
  ] as const) {
    it(`closes as its ${who} closes it: ${told}`, async () => {
      const since = proxy.output.length;
      const { client, upstream } = await connect('/close');
      const [from, to] = who === 'client' ? [client, upstream] : [upstream, client];
      const both = Promise.all([closing(from), closing(to)]);
      if (code === undefined) from.close();
      else from.close(code, reason);
      const seen = [code ?? 1005, reason];
      assert.deepEqual(await both, [seen, seen]);
      await proxy.said(new RegExp(`/close websocketEnd by ${who} ${told}`), since);
    });
  }

  it('passes what was sent before it was closed', async () => {
    const { client, upstream } = await connect('/async');
    const received = messagesOf(upstream);
    const closed = closing(upstream);
    for (let i = 0; i < 30; i++) client.send(`message ${i}`);
    client.close(1000);
    assert.deepEqual(await closed, [1000, '']);
    assert.equal(received.length, 30);
  });

  it('passes what was sent before one side stopped sending, and breaks off then', async () => {
    const { client, upstream } = await connect('/async');
    const received = messagesOf(upstream);
    const closed = closing(upstream);
    for (let i = 0; i < 30; i++) client.send(`message ${i}`);
    socketOf(client).end();
    assert.deepEqual(await closed, [1006, '']);
    assert.equal(received.length, 30);
  });

  it('is given up when the other side does not answer to its closing', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/mute');
    upstream.pause();
    const closed = closing(client);
    client.close(1000, 'bye');
    await closed;
    await proxy.said(/\/mute websocketEnd by client 1000 "bye"/, since);
    upstream.terminate();
  });

  for (const who of ['client', 'server'] as const) {
    it(`breaks off for the other side when its ${who} breaks off`, async () => {
      const since = proxy.output.length;
      const path = `/break-${who}`;
      const { client, upstream } = await connect(path);
      const [from, to] = who === 'client' ? [client, upstream] : [upstream, client];
      const started = Date.now();
      from.terminate();
      assert.deepEqual(await closing(to), [1006, '']);
      assert.ok(Date.now() - started < 1_000);
      await proxy.said(new RegExp(`${path} websocketEnd by ${who} 1006 ""`), since);
      assert.equal(proxy.output.slice(since).split(`${path} websocketEnd`).length, 2);
    });

    it(`breaks off at once when its ${who} is reset while a hook has the turn`, async () => {
      const since = proxy.output.length;
      const { client, upstream } = await connect('/stuck');
      const [from, to] = who === 'client' ? [client, upstream] : [upstream, client];
      const closed = closing(to);
      from.send('wait');
      await proxy.said(/\/stuck websocketMessage/, since);
      const started = Date.now();
      resetBelowTls(from);
      assert.deepEqual(await closed, [1006, '']);
      assert.ok(Date.now() - started < 1_000, `${Date.now() - started} ms`);
      await proxy.said(new RegExp(`/stuck websocketEnd by ${who} 1006 ""`), since);
    });
  }

  it('takes no more from a client than a slow server takes', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/pace');
    upstream.pause();
    for (let i = 0; i < 400; i++) client.send(Buffer.alloc(100_000));
    const hooked = () => proxy.output.slice(since).match(/websocketMessage/g)?.length ?? 0;
    let before = -1;
    while (hooked() !== before) {
      before = hooked();
      await sleep(300);
    }
    assert.ok(before < 200, `${before} of 400 messages were taken`);
    assert.ok(client.bufferedAmount > 10_000_000, `${client.bufferedAmount} bytes wait`);
    const received = messagesOf(upstream);
    upstream.resume();
    await eventually('the rest', () => received.length === 400);
    client.terminate();
  });

  it('takes no more from a server than a slow hook takes', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/slow');
    for (let i = 0; i < 200; i++) upstream.send(Buffer.alloc(200_000));
    await sleep(500);
    const hooked = proxy.output.slice(since).match(/websocketMessage/g)?.length ?? 0;
    assert.ok(hooked < 10, `${hooked}`);
    assert.ok(upstream.bufferedAmount > 20_000_000, `${upstream.bufferedAmount} bytes wait`);
    client.terminate();
  });

  it('is closed with 1009 on both sides when a message is larger than 32 MiB', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/too-large');
    const both = Promise.all([closing(client), closing(upstream)]);
    client.send(Buffer.alloc(32 * 1024 * 1024 + 1));
    assert.deepEqual(await both, [
      [1009, ''],
      [1009, ''],
    ]);
    await proxy.said(/\/too-large websocketEnd by proxy 1009/, since);
  });

  for (const [what, frame, code] of [
    ['a frame without a mask', [0x81, 0x01, 0x41], 1002],
    ['an unknown opcode', [0x83, 0x80, 0, 0, 0, 0], 1002],
    ['a compressed frame that was not agreed on', [0xc1, 0x80, 0, 0, 0, 0], 1002],
    ['text that is no UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007],
  ] as const) {
    it(`is closed with ${code} on both sides after ${what}`, async () => {
      const since = proxy.output.length;
      const { client, upstream } = await connect('/bad');
      const received = messagesOf(upstream);
      const both = Promise.all([closing(client), closing(upstream)]);
      client.send('good');
      socketOf(client).write(Buffer.from(frame));
      assert.deepEqual(await both, [
        [code, ''],
        [code, ''],
      ]);
      assert.deepEqual(received, ['good']);
      await proxy.said(new RegExp(`/bad websocketEnd by proxy ${code}`), since);
    });
  }

  it('is cut on both sides when an addon kills the flow', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/kill');
    const received = messagesOf(upstream);
    const both = Promise.all([closing(client), closing(upstream)]);
    client.send('one');
    assert.deepEqual(await both, [
      [1006, ''],
      [1006, ''],
    ]);
    assert.deepEqual(received, []);
    await proxy.said(/\/kill websocketEnd by proxy 1006/, since);
  });

  it('is taken from undici, which offers compression', async () => {
    const since = proxy.output.length;
    const dispatcher = proxyAgent(proxy, 'alice');
    const webSocket = new UndiciWebSocket(`wss://${API_HOST}/undici`, { dispatcher });
    await once(webSocket as never, 'open');
    webSocket.send('hello');
    await proxy.said(/\/undici websocketMessage from client text 5/, since);
    webSocket.close(1000, 'done');
    await proxy.said(/\/undici websocketEnd by client 1000 "done"/, since);
    await dispatcher.close();
  });
});

describe('a WebSocket in the clear', () => {
  let proxy: ProxyProcess;
  let server: Server;
  setStage(
    { config: config('acts.ts'), files: { 'acts.ts': SCRIPT }, args: ['--allow-hosts', '^seen\\.example\\.com:80$'] },
    undefined,
    (stage) => {
      ({ proxy } = stage);
      server = new Server(stage.fake);
    },
  );

  /** Asks the proxy in absolute form, or in a tunnel to port 80. */
  const connect = async (host: string, way: 'absolute' | 'tunnel'): Promise<WebSocket> => {
    const raw = net.connect(proxy.port, '127.0.0.1');
    await once(raw, 'connect');
    const authorization = basic('alice', proxy.password('alice'));
    if (way === 'tunnel') {
      raw.write(`CONNECT ${host}:80 HTTP/1.1\r\nHost: ${host}:80\r\nProxy-Authorization: ${authorization}\r\n\r\n`);
      await once(raw, 'data');
    }
    const client = new WebSocket(`ws://${host}/clear`, {
      createConnection: () => raw,
      finishRequest: (request) => {
        if (way === 'absolute') {
          request.path = `http://${host}/clear`;
          request.setHeader('proxy-authorization', authorization);
        }
        request.end();
      },
    });
    await once(client, 'open');
    return client;
  };

  for (const way of ['absolute', 'tunnel'] as const) {
    it(`is seen by addons for hosts that are looked into (${way})`, async () => {
      const since = proxy.output.length;
      const client = await connect('seen.example.com', way);
      client.send('hello');
      await proxy.said(/\/clear websocketMessage from client text 5/, since);
      assert.equal(server.requests.at(-1)?.headers['proxy-authorization'], undefined);
      client.close(1000);
      await proxy.said(/\/clear websocketEnd by client 1000/, since);
    });

    it(`passes unseen for all others, compressed if both sides like (${way})`, async () => {
      const since = proxy.output.length;
      const client = await connect('example.com', way);
      const received = messagesOf(server.sockets.at(-1) as WebSocket);
      client.send('hello');
      await eventually('the message', () => received.length === 1);
      assert.match(client.extensions, /permessage-deflate/);
      assert.equal(proxy.output.slice(since), '');
      client.terminate();
    });
  }
});

describe('a request for an upgrade in the clear', () => {
  it('is cancelled when the client leaves before there is an answer', async (t) => {
    const fake = await startFakeCopilot();
    const asked = new Promise<net.Socket>((resolve) => {
      fake.upgrade = (_request, socket) => resolve(socket);
    });
    const proxy = await ProxyProcess.start({ upstream: fake });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const socket = net.connect(proxy.port, '127.0.0.1');
    socket.write(
      `GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}\r\n\r\n`,
    );
    const upstream = await asked;
    upstream.resume();
    socket.end();
    await once(upstream, 'end', { signal: AbortSignal.timeout(5_000) });
  });
});

describe('a WebSocket whose messages no addon sees', () => {
  it('passes byte by byte, compressed if both sides like, and is told of as a flow', async (t) => {
    const fake = await startFakeCopilot();
    const server = new Server(fake);
    const proxy = await ProxyProcess.start({ upstream: fake, args: ['--flow-detail', '1'] });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const client = await open(proxy, '/deflated');
    const upstream = server.sockets.at(-1) as WebSocket;
    const received = messagesOf(upstream);
    client.send('x'.repeat(100_000));
    await eventually('the message', () => received.length === 1);
    assert.match(client.extensions, /permessage-deflate/);
    await proxy.said(/alice 127\.0\.0\.1 GET https:\S+\/deflated << 101 0b/);
    const closed = closing(client);
    upstream.close(4000, 'bye');
    assert.deepEqual(await closed, [4000, 'bye']);
    assert.equal(proxy.output.match(/\/deflated/g)?.length, 1);
  });
});

describe('an open WebSocket', () => {
  const DRAIN_MS = 800;
  /** Marks messages, and says on the log when an instance ends. */
  const marking = (mark: string) => `
    import { defineAddon } from 'insight-dump';
    export default defineAddon({
      websocketMessage: (_flow, message) => { message.text = '${mark} ' + message.text; },
      websocketEnd: (_flow, close, ctx) => ctx.log.info('${mark} end by ' + close.by + ' ' + close.code),
      running: (ctx) => ctx.log.info('${mark} running'),
      done: (ctx) => ctx.log.info('${mark} done'),
    });
  `;
  const idle = `import { defineAddon } from 'insight-dump'; export default defineAddon({ running: (ctx) => ctx.log.info('idle running') });`;

  const begin = async (t: { after(fn: () => unknown): void }, script: string) => {
    const fake = await startFakeCopilot();
    const server = new Server(fake);
    const proxy = await ProxyProcess.start({
      upstream: fake,
      config: config('mark.ts', { drainMs: DRAIN_MS }),
      files: { 'mark.ts': script },
    });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const client = await open(proxy, '/open');
    const upstream = server.sockets[0] as WebSocket;
    const echo = async (text: string): Promise<string> => {
      client.send(text);
      return String((await once(upstream, 'message'))[0]);
    };
    return { proxy, client, upstream, echo };
  };

  it('goes on with the instances it began with, then with the new ones, and delays done no longer', async (t) => {
    const { proxy, client, echo } = await begin(t, marking('old'));
    assert.equal(await echo('hello'), 'old hello');
    const since = proxy.output.length;
    proxy.write('mark.ts', marking('new'));
    await proxy.said(/mark\.ts reloaded/, since);
    const saved = Date.now();
    assert.equal(await echo('hello'), 'old hello');
    await proxy.said(/old done/, since);
    const tookMs = Date.now() - saved;
    assert.ok(tookMs > DRAIN_MS / 2 && tookMs < DRAIN_MS + 1_000, `${tookMs} ms`);
    await proxy.said(/new running/, since);
    assert.equal(await echo('hello'), 'new hello');
    client.close(1000);
    await proxy.said(/new end by client 1000/, since);
    assert.doesNotMatch(proxy.output, /old end/);
  });

  it('stays byte by byte when an addon comes to want its messages', async (t) => {
    const { proxy, echo } = await begin(t, idle);
    proxy.write('mark.ts', marking('new'));
    await proxy.said(/new running/);
    assert.equal(await echo('hello'), 'hello');
  });

  it('does not hold up a reload when nobody reads it', async (t) => {
    const { proxy } = await begin(t, idle);
    const saved = Date.now();
    proxy.write('mark.ts', marking('new'));
    await proxy.said(/new running/);
    assert.ok(Date.now() - saved < DRAIN_MS, `${Date.now() - saved} ms`);
  });

  it('is closed with 1001 when the proxy stops, which it does not hold up', async (t) => {
    const { proxy, client, upstream } = await begin(t, marking('only'));
    const both = Promise.all([closing(client), closing(upstream)]);
    const started = Date.now();
    proxy.kill();
    assert.deepEqual(await both, [
      [1001, ''],
      [1001, ''],
    ]);
    assert.equal(await proxy.ended, 0);
    assert.ok(Date.now() - started < DRAIN_MS, `${Date.now() - started} ms`);
    assert.match(proxy.output, /only end by proxy 1001[\s\S]*only done/);
  });

  it('is cut when the proxy stops and its ends do not answer', async (t) => {
    const { proxy, client, upstream } = await begin(t, marking('only'));
    client.pause();
    upstream.pause();
    const started = Date.now();
    proxy.kill();
    assert.equal(await proxy.ended, 0);
    assert.ok(Date.now() - started < DRAIN_MS + 1_000, `${Date.now() - started} ms`);
    assert.match(proxy.output, /only end by proxy 1001[\s\S]*only done/);
  });

  it('is closed with 1011 on both sides when an addon fails that it must not go without', async (t) => {
    const fake = await startFakeCopilot();
    const server = new Server(fake);
    const proxy = await ProxyProcess.start({
      upstream: fake,
      config: config({ script: 'must.ts', required: true }),
      files: { 'must.ts': `export function websocketMessage() { throw new Error('no'); }` },
    });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const client = await open(proxy, '/must');
    const upstream = server.sockets[0] as WebSocket;
    const received = messagesOf(upstream);
    const both = Promise.all([closing(client), closing(upstream)]);
    client.send('not for you');
    assert.deepEqual(await both, [
      [1011, ''],
      [1011, ''],
    ]);
    assert.deepEqual(received, []);
  });
});

describe('a request for an upgrade', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  let server: Server;
  setStage({ config: config('acts.ts'), files: { 'acts.ts': SCRIPT } }, undefined, (stage) => {
    ({ fake, proxy } = stage);
    server = new Server(fake);
  });

  /** Sends one as text. Resolves with all that comes back until the connection ends, or with the head of a 101. */
  const ask = async (path: string, more = ''): Promise<string> => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.on('error', () => {});
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`,
    );
    let text = '';
    for await (const chunk of socket.setEncoding('latin1')) {
      text += chunk;
      if (/^HTTP\/1\.1 101 [\s\S]*\r\n\r\n/.test(text)) break;
    }
    socket.destroy();
    return text;
  };
  const hooksOf = (path: string, since: number) =>
    [...proxy.output.slice(since).matchAll(/(\/\S+) (\w+.*)/g)]
      .filter(([, at]) => at === path)
      .map(([, , what]) => what);

  it('and its answer are edited by addons', async () => {
    const text = await ask('/headers', 'X-Mine: 1\r\n');
    assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n/);
    assert.match(text, /^x-answer: by addon\r$/m);
    const { headers } = server.requests.at(-1) as IncomingMessage;
    assert.equal(headers['x-set'], 'by addon');
    assert.equal(headers['x-mine'], '1');
    assert.equal(headers.connection, 'Upgrade');
  });

  it('is sent elsewhere by an addon', async () => {
    await ask('/elsewhere');
    const { headers, url } = server.requests.at(-1) as IncomingMessage;
    assert.equal(headers.host, 'api.enterprise.githubcopilot.com');
    assert.equal(url, '/there');
  });

  it('is answered by an addon without the server', async () => {
    const [since, before] = [proxy.output.length, server.requests.length];
    assert.match(await ask('/respond'), /^HTTP\/1\.1 418 I'm a Teapot\r\n[\s\S]*\r\n\r\nteapot$/);
    assert.equal(server.requests.length, before);
    await eventually('the hooks', () => hooksOf('/respond', since).length === 3);
    assert.deepEqual(hooksOf('/respond', since), ['requestHeaders', 'responseHeaders', 'response']);
  });

  for (const path of ['/respond-late', '/status']) {
    it(`is refused by an addon after the server has agreed (${path})`, async () => {
      const since = proxy.output.length;
      const before = server.sockets.length;
      assert.match(await ask(path), /^HTTP\/1\.1 403 /);
      const upstream = server.sockets[before] as WebSocket;
      await eventually('the server’s end', () => upstream.readyState === WebSocket.CLOSED);
      assert.deepEqual(hooksOf(path, since), ['requestHeaders', 'request', 'responseHeaders', 'response']);
    });
  }

  for (const [path, hooks] of [
    ['/kill-request', ['requestHeaders', 'error by addon KILLED']],
    ['/kill-response', ['requestHeaders', 'request', 'responseHeaders', 'error by addon KILLED']],
  ] as const) {
    it(`is cut by an addon (${path})`, async () => {
      const since = proxy.output.length;
      assert.equal(await ask(path), '');
      await proxy.said(/KILLED/, since);
      assert.deepEqual(hooksOf(path, since), hooks);
    });
  }

  it('gets an answer that is no 101 as any other request', async () => {
    const since = proxy.output.length;
    const { upgrade } = fake;
    fake.upgrade = (_request, socket) => {
      socket.write(
        'HTTP/1.1 426 Upgrade Required\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nX-Why: not\r\n\r\n3\r\nnot\r\n',
      );
      setTimeout(() => socket.write('6\r\n today\r\n0\r\n\r\n'), 100);
    };
    const text = await ask('/refused');
    fake.upgrade = upgrade;
    assert.match(text, /^HTTP\/1\.1 426 Upgrade Required\r\nX-Why: not\r\n/);
    assert.match(text, /not[\s\S]* tod/);
    await proxy.said(/\/refused response$/m, since);
    assert.deepEqual(hooksOf('/refused', since), ['requestHeaders', 'request', 'responseHeaders', 'response']);
  });

  it('to HTTP/2 is taken for a request without one, or what follows would go unseen', async () => {
    const { stdout } = await curl(
      proxy,
      'alice',
      ...['-H', 'Connection: Upgrade, HTTP2-Settings', '-H', 'Upgrade: h2c', '-H', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
      ...['--http1.1', `https://${API_HOST}/h2c`, '-d', 'body'],
    );
    const { headers, body } = JSON.parse(stdout);
    assert.equal(body, 'body');
    assert.equal(headers.upgrade, undefined);
    assert.equal(headers['http2-settings'], undefined);
  });

  it('is not taken while an earlier answer is on its way', async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.on('error', () => {});
    const head = `Host: ${API_HOST}\r\n`;
    const second = `GET /second HTTP/1.1\r\n${head}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    socket.write(`GET /first HTTP/1.1\r\n${head}\r\n${second}`);
    socket.resume();
    await once(socket, 'close');
  });

  it('passes the body that it has', async () => {
    const { upgrade } = fake;
    let body = '';
    fake.upgrade = (_request, socket, head) => {
      body = head.toString();
      socket.on('data', (chunk) => {
        body += chunk;
      });
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok');
    };
    const text = await ask('/body', 'Content-Length: 5\r\n\r\nhello');
    fake.upgrade = upgrade;
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n[\s\S]*ok$/);
    assert.equal(body, 'hello');
  });

  it('is cancelled when the client leaves before there is an answer', async () => {
    const since = proxy.output.length;
    const { upgrade } = fake;
    const asked = new Promise<net.Socket>((resolve) => {
      fake.upgrade = (_request, socket) => resolve(socket);
    });
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.write(`GET /left HTTP/1.1\r\nHost: ${API_HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`);
    const upstream = await asked;
    fake.upgrade = upgrade;
    upstream.resume();
    const closed = Promise.race([once(upstream, 'end'), once(upstream, 'close'), once(upstream, 'error')]);
    socket.end();
    await closed;
    await proxy.said(/\/left error by client CLIENT_CLOSED/, since);
  });

  it('gets a short 502 that says whose it is when the server is not there', async () => {
    const since = proxy.output.length;
    const { upgrade } = fake;
    fake.upgrade = (_request, socket) => socket.destroy();
    const text = await ask('/gone');
    fake.upgrade = upgrade;
    assert.match(text, /^HTTP\/1\.1 502 Bad Gateway\r\nx-insight-dump: \w+\r\n/);
    await proxy.said(/\/gone error by upstream/, since);
    assert.deepEqual(hooksOf('/gone', since).slice(0, 2), ['requestHeaders', 'request']);
  });
});
