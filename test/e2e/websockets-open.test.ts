import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import type { WebSocket } from 'ws';
import { startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { closing, config, messagesOf, openWebSocket, WebSocketUpstream } from '../websockets.ts';

describe('a WebSocket whose messages no addon sees', () => {
  it('passes byte by byte, compressed if both sides like, and is told of as a flow', async (t) => {
    const fake = await startFakeCopilot();
    const server = new WebSocketUpstream(fake);
    const proxy = await ProxyProcess.start({ upstream: fake, args: ['--flow-detail', '1'] });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const client = await openWebSocket(proxy, '/deflated');
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

describe('a WebSocket that an addon may want to read', () => {
  it('passes unread unless the addon says so of its path', async (t) => {
    const script = `
      import { defineAddon } from 'insight-dump';
      export default defineAddon({
        readsWebSocket: (path) => path === '/read?x=1',
        websocketMessage: (_flow, message) => { message.text = 'read ' + message.text; },
      });
    `;
    const fake = await startFakeCopilot();
    const server = new WebSocketUpstream(fake);
    const proxy = await ProxyProcess.start({
      upstream: fake,
      config: config('pick.ts'),
      files: { 'pick.ts': script },
    });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    for (const [path, expected] of [
      ['/other', 'hi'],
      ['/read?x=1', 'read hi'],
    ] as const) {
      const client = await openWebSocket(proxy, path);
      const received = messagesOf(server.sockets.at(-1) as WebSocket);
      client.send('hi');
      await eventually('the message', () => received.length === 1);
      assert.deepEqual(received.map(String), [expected]);
    }
  });
});

describe('an open WebSocket', () => {
  const DRAIN_MS = 2_000;
  /** No test waits for that. */
  const LONG_MS = 60_000;
  /** What a machine may take that has much else to do. */
  const SLACK_MS = 5_000;
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

  const begin = async (t: { after(fn: () => unknown): void }, script: string, drainMs = DRAIN_MS) => {
    const fake = await startFakeCopilot();
    const server = new WebSocketUpstream(fake);
    const proxy = await ProxyProcess.start({
      upstream: fake,
      config: config('mark.ts', { drainMs }),
      files: { 'mark.ts': script },
    });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const client = await openWebSocket(proxy, '/open');
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
    assert.ok(tookMs < DRAIN_MS + SLACK_MS, `${tookMs} ms`);
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
    const { proxy } = await begin(t, idle, LONG_MS);
    proxy.write('mark.ts', marking('new'));
    await proxy.said(/new running/);
  });

  it('is closed with 1001 when the proxy stops, which it does not hold up', async (t) => {
    const { proxy, client, upstream } = await begin(t, marking('only'), LONG_MS);
    const both = Promise.all([closing(client), closing(upstream)]);
    const started = Date.now();
    proxy.kill();
    assert.deepEqual(await both, [
      [1001, ''],
      [1001, ''],
    ]);
    assert.equal(await proxy.ended, 0);
    assert.ok(Date.now() - started < SLACK_MS, `${Date.now() - started} ms`);
    assert.match(proxy.output, /only end by proxy 1001[\s\S]*only done/);
  });

  it('is cut when the proxy stops and its ends do not answer', async (t) => {
    const { proxy, client, upstream } = await begin(t, marking('only'));
    client.pause();
    upstream.pause();
    const started = Date.now();
    proxy.kill();
    assert.equal(await proxy.ended, 0);
    assert.ok(Date.now() - started < DRAIN_MS + SLACK_MS, `${Date.now() - started} ms`);
    assert.match(proxy.output, /only end by proxy 1001[\s\S]*only done/);
  });

  it('is closed with 1011 on both sides when an addon fails that it must not go without', async (t) => {
    const fake = await startFakeCopilot();
    const server = new WebSocketUpstream(fake);
    const proxy = await ProxyProcess.start({
      upstream: fake,
      config: config({ script: 'must.ts', required: true }),
      files: { 'must.ts': `export function websocketMessage() { throw new Error('no'); }` },
    });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const client = await openWebSocket(proxy, '/must');
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
