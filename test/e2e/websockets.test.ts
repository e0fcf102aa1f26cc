import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket as UndiciWebSocket } from 'undici';
import { WebSocket } from 'ws';
import { basic, proxyAgent } from '../clients.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';
import {
  ACTS,
  closing,
  config,
  messagesOf,
  openWebSocket,
  resetBelowTls,
  socketOf,
  WebSocketUpstream,
} from '../websockets.ts';

describe('a WebSocket whose messages an addon sees', () => {
  let proxy: ProxyProcess;
  let server: WebSocketUpstream;
  setStage({ config: config('acts.ts'), files: { 'acts.ts': ACTS } }, undefined, (stage) => {
    ({ proxy } = stage);
    server = new WebSocketUpstream(stage.fake);
  });

  /** A client and its server, through the proxy. */
  const connect = async (
    path: string,
    perMessageDeflate = false,
  ): Promise<{ client: WebSocket; upstream: WebSocket }> => {
    const client = await openWebSocket(proxy, path, { perMessageDeflate });
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
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.send(Buffer.from('abc'));
      assert.deepEqual(await once(to, 'message'), [Buffer.from('cba'), true]);
    }
    client.terminate();
  });

  it('does not pass what an addon drops', async () => {
    const { client, upstream } = await connect('/drop');
    const [atClient, atServer] = [messagesOf(client), messagesOf(upstream)];
    for (const [from, to] of [
      [client, atServer],
      [upstream, atClient],
    ] as const) {
      for (const text of ['one', 'secret', 'two']) from.send(text);
      await eventually('messages', () => to.length === 2);
      assert.deepEqual(to, ['one', 'two']);
    }
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
    await proxy.said(/websocketMessage failed at acts\.ts:\d+:\d+: oh no/, since);
    client.terminate();
  });

  it('names the line that sets content to something else than bytes', async () => {
    const { client, upstream } = await connect('/nonsense');
    client.send('anyway');
    assert.equal(String((await once(upstream, 'message'))[0]), 'anyway');
    await proxy.said(/websocketMessage failed at acts\.ts:\d+:\d+: content has to be a Uint8Array, not a string/);
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

  it('is compressed where both sides like, and its messages are read and edited all the same', async () => {
    const { client, upstream } = await connect('/edit', true);
    assert.match(client.extensions, /permessage-deflate/);
    assert.match(server.requests.at(-1)?.headers['sec-websocket-extensions'] ?? '', /^permessage-deflate/);
    const text = 'so much of the same '.repeat(50_000);
    for (const [from, to, who] of [
      [client, upstream, 'client'],
      [upstream, client, 'server'],
    ] as const) {
      for (const sent of [text, 'é', '']) {
        from.send(sent);
        assert.equal(String((await once(to, 'message'))[0]), `${who} said ${sent}`);
      }
      const { bytesRead } = socketOf(to);
      assert.ok(bytesRead < 50_000, `${bytesRead} bytes came`);
    }
    client.close(1000, 'done');
    assert.deepEqual(await closing(upstream), [1000, 'done']);
  });

  it('is compressed for the server only, when an addon does not tell the client that it agreed', async () => {
    const { client, upstream } = await connect('/less', true);
    assert.deepEqual([client.extensions, upstream.extensions], ['', 'permessage-deflate']);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.send('x'.repeat(2_000));
      assert.equal(String((await once(to, 'message'))[0]), 'x'.repeat(2_000));
    }
    client.terminate();
  });

  it('is not compressed for a client that does not offer it', async () => {
    const { client } = await connect('/plain');
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

  for (const [how, isCompressed] of [
    ['as it is', false],
    ['compressed', true],
  ] as const) {
    it(`takes no more from a client than a slow server takes, ${how}`, async () => {
      const since = proxy.output.length;
      const { client, upstream } = await connect('/pace', isCompressed);
      upstream.pause();
      // Nothing that could be made smaller.
      const piece = randomBytes(100_000);
      for (let i = 0; i < 400; i++) client.send(piece);
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
      // Compressed and decompressed four times, by processes that share the machine with other tests.
      await eventually('the rest', () => received.length === 400, 40_000);
      client.terminate();
    });
  }

  it('takes no more from a server than a slow hook takes', async () => {
    const since = proxy.output.length;
    const { client, upstream } = await connect('/slow');
    for (let i = 0; i < 200; i++) upstream.send(Buffer.alloc(200_000));
    await sleep(500);
    const hooked = proxy.output.slice(since).match(/\/slow websocketMessage/g)?.length ?? 0;
    assert.ok(hooked < 10, `${hooked}`);
    assert.ok(upstream.bufferedAmount > 20_000_000, `${upstream.bufferedAmount} bytes wait`);
    client.terminate();
  });

  for (const [how, isCompressed] of [
    ['', false],
    [', decompressed', true],
  ] as const) {
    it(`is closed with 1009 on both sides when a message is larger than 32 MiB${how}`, async () => {
      const since = proxy.output.length;
      const { client, upstream } = await connect('/too-large', isCompressed);
      const both = Promise.all([closing(client), closing(upstream)]);
      client.send(Buffer.alloc(32 * 1024 * 1024 + 1));
      assert.deepEqual(await both, [
        [1009, ''],
        [1009, ''],
      ]);
      await proxy.said(/\/too-large websocketEnd by proxy 1009/, since);
    });
  }

  for (const [what, frame, code, isCompressed] of [
    ['a frame without a mask', [0x81, 0x01, 0x41], 1002, false],
    ['an unknown opcode', [0x83, 0x80, 0, 0, 0, 0], 1002, false],
    ['a compressed frame that was not agreed on', [0xc1, 0x80, 0, 0, 0, 0], 1002, false],
    ['text that is no UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007, false],
    ['a frame that does not decompress', [0xc1, 0x83, 0, 0, 0, 0, 0xff, 0xff, 0xff], 1007, true],
  ] as const) {
    it(`is closed with ${code} on both sides after ${what}`, async () => {
      const since = proxy.output.length;
      const { client, upstream } = await connect('/bad', isCompressed);
      const received = messagesOf(upstream);
      const both = Promise.all([closing(client), closing(upstream)]);
      await new Promise((resolve) => client.send('good', resolve));
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
    assert.match(webSocket.extensions, /permessage-deflate/);
    webSocket.send('hello');
    await proxy.said(/\/undici websocketMessage from client text 5/, since);
    webSocket.close(1000, 'done');
    await proxy.said(/\/undici websocketEnd by client 1000 "done"/, since);
    await dispatcher.close();
  });
});

describe('a WebSocket in the clear', () => {
  let proxy: ProxyProcess;
  let server: WebSocketUpstream;
  setStage(
    { config: config('acts.ts'), files: { 'acts.ts': ACTS }, args: ['--allow-hosts', '^seen\\.example\\.com:80$'] },
    undefined,
    (stage) => {
      ({ proxy } = stage);
      server = new WebSocketUpstream(stage.fake);
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
