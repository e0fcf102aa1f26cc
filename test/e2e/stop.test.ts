import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { ask, openSession, openTunnel, RawConnection } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { CliProcess, eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { configOf } from '../tagging.ts';
import { TELL } from '../telling.ts';

const DONE = `export function done(ctx) { ctx.log.info('tell is done'); }`;
const STREAM = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };

/** A proxy with two streams that go on for minutes, over either version; and one idle connection. */
async function withStreams(
  config: string,
  test: (
    proxy: ProxyProcess,
    streams: { h1: Promise<string>; h2: Promise<unknown>; idle: Promise<unknown> },
  ) => Promise<void>,
): Promise<void> {
  const fake = await startFakeCopilot(() => ({ delayMs: 100, pieces: Array(3_000).fill('x') }));
  const proxy = await ProxyProcess.start({
    upstream: fake,
    config: configOf(`'tell.ts', 'addons/usage.ts'`, config),
    files: { 'tell.ts': TELL + DONE },
  });
  try {
    const body = chatRequest('long');
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    let text = '';
    socket
      .on('error', () => {})
      .on('data', (data) => {
        text += data;
      });
    const length = Buffer.byteLength(body);
    socket.write(`POST /h1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n${body}`);
    const session = await openSession(proxy, 'alice', API_HOST);
    const stream = session.request(STREAM);
    stream.end(body);
    const broken = once(stream.resume(), 'close').then(() => stream.rstCode);
    stream.on('error', () => {});
    const { socket: idle } = await RawConnection.open(proxy.port);
    await eventually('both are under way', () => fake.requests.filter(({ sentAt }) => sentAt.length > 1).length === 2);
    await test(proxy, { h1: once(socket, 'close').then(() => text), h2: broken, idle: once(idle, 'close') });
  } finally {
    await proxy.stop();
    await fake.close();
  }
}

describe('a proxy that is asked to stop while answers are on their way', () => {
  it('lets one that ends in time end whole, writes its record, and exits with 0', async (t) => {
    const fake = await startFakeCopilot(() => ({ delayMs: 150 }));
    t.after(() => fake.close());
    const proxy = await ProxyProcess.start({ upstream: fake });
    t.after(() => proxy.stop());
    const session = await openSession(proxy, 'alice', API_HOST);
    const headers = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
    const count = fake.requests.length;
    const answer = ask(session, headers, chatRequest('last words'));
    await eventually('it is under way', () => fake.requests[count]?.sentAt.length === 1);
    proxy.kill('SIGTERM');
    assert.match((await answer).body, /\[DONE\]/);
    assert.equal(await proxy.ended, 0);
    assert.equal(proxy.records().size, 1);
    await proxy.metrics((day) => day.total_chat_turns === 1);
  });

  it('waits as long as it may, then cuts them, tells addons, and exits with 0', () =>
    withStreams('drainMs: 1_000', async (proxy, { h1, h2, idle }) => {
      const began = performance.now();
      proxy.kill('SIGTERM');
      await proxy.said(/👋 stopping/);
      // What is new is refused, while the others go on.
      await assert.rejects(RawConnection.open(proxy.port), { code: 'ECONNREFUSED' });
      assert.equal(await proxy.ended, 0);
      assert.ok(performance.now() - began >= 1_000);
      assert.doesNotMatch(await h1, /\r\n0\r\n\r\n$/);
      assert.notEqual(await h2, 0);
      await idle;
      assert.match(proxy.output, /2 exchanges were cut short after 1000 ms/);
      assert.equal(proxy.output.match(/flow \S+ error \w+ \w+\n/g)?.length, 2, proxy.output);
      assert.match(proxy.output, /tell is done\n/);
      const outcomes = [...proxy.records().values()].map(({ insight }) => insight.outcome);
      assert.equal(outcomes.length, 2);
      assert.ok(!outcomes.includes('complete'), outcomes.join());
    }));

  it('ends at once when it is asked again', () =>
    withStreams('drainMs: 60_000', async (proxy) => {
      proxy.kill('SIGTERM');
      await proxy.said(/👋 stopping/);
      proxy.kill('SIGINT');
      assert.equal(await proxy.ended, 1);
    }));
});

describe('a proxy that is stopped while it starts', () => {
  it('ends its addons, and exits with 0', async () => {
    const slow = `export async function running(ctx) { ctx.log.info('slow runs'); await new Promise((r) => setTimeout(r, 300)); }
      export function done(ctx) { ctx.log.info('slow is done'); }`;
    const cli = new CliProcess({ args: ['-s', 'slow.ts'], files: { 'slow.ts': slow } });
    await cli.said(/slow runs/);
    cli.kill('SIGTERM');
    assert.equal(await cli.ended, 0);
    assert.match(cli.output, /slow is done/);
    await cli.stop();
  });
});
