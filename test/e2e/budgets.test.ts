import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import OpenAI from 'openai';
import { fetch } from 'undici';
import { WebSocket } from 'ws';
import { ask, openSession, openTunnel, proxyAgent } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { CliProcess, eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, CHAT_SUGGESTIONS, CHAT_TURN, capture, chatRequest } from '../requests.ts';
import { closing, openWebSocket, WebSocketUpstream } from '../websockets.ts';

const configOf = (limits: readonly object[], more: object = {}) =>
  `export default ${JSON.stringify({
    addons: ['addons/auth.ts', 'addons/filter.ts', 'addons/budgets.ts', 'addons/usage.ts'],
    options: {
      auth: { users: ['alice', 'bob', 'carol'], groups: { trial: ['bob'] } },
      budgets: { limits, ...more },
    },
  })};`;

const CHAT = { ':method': 'POST', ':path': '/chat/completions', 'x-initiator': 'user' };

/** Runs a test with a fake Copilot and a proxy before it. */
async function withProxy(
  config: string,
  test: (proxy: ProxyProcess, fake: FakeCopilot) => Promise<void>,
  plan?: FakeCopilot['plan'],
): Promise<void> {
  const fake = await startFakeCopilot(plan);
  const proxy = await ProxyProcess.start({ upstream: fake, config });
  try {
    await test(proxy, fake);
  } finally {
    await proxy.stop();
    await fake.close();
  }
}

/** Asks one after the other over HTTP/2, and waits until what was answered is counted. */
async function statusesOf(proxy: ProxyProcess, user: string, count: number): Promise<number[]> {
  const session = await openSession(proxy, user, API_HOST);
  const statuses: number[] = [];
  for (let i = 0; i < count; i++) statuses.push((await ask(session, CHAT, chatRequest(`question ${i}`))).status);
  session.close();
  return statuses;
}

describe('budgets in the proxy', () => {
  it('refuse over h1 and h2, a group and not the others, and no request reaches the upstream', () =>
    withProxy(configOf([{ group: 'trial', turns: 2, action: 'refuse' }]), async (proxy, fake) => {
      assert.deepEqual(await statusesOf(proxy, 'bob', 4), [200, 200, 429, 429]);
      const dispatcher = proxyAgent(proxy, 'bob');
      const url = `https://${API_HOST}/v1/messages`;
      const answer = await fetch(url, { method: 'POST', body: chatRequest('hi'), dispatcher });
      assert.equal(answer.status, 429);
      assert.equal(answer.headers.get('x-insight-dump'), 'BUDGET');
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
      const told = (await answer.json()) as { type: string; error: { message: string } };
      assert.equal(told.type, 'error');
      assert.match(told.error.message, /2 turns a day \(group trial\)/);
      assert.equal((await fetch(`https://${API_HOST}/models`, { dispatcher })).status, 200);
      await dispatcher.close();
      assert.deepEqual(await statusesOf(proxy, 'alice', 3), [200, 200, 200]);
      assert.equal(fake.requests.filter(({ method }) => method === 'POST').length, 5);
      await proxy.said(/⛔ user bob has used 100% of 2 turns a day \(group trial\); more is refused until 00:00 UTC/);
      // Those that were refused are recorded as failures.
      const records = await proxy.recorded(8);
      assert.equal(records.filter(({ insight }) => insight.counted.as === 'turn').length, 5);
    }));

  it('are told by the openai package, which does not try again', () =>
    withProxy(configOf([{ user: 'alice', turns: 1, action: 'refuse' }], { contact: 'Ask ops.' }), async (proxy) => {
      const dispatcher = proxyAgent(proxy, 'alice');
      let tries = 0;
      const openai = new OpenAI({
        baseURL: `https://${API_HOST}`,
        apiKey: 'tid=fake',
        fetch: ((to: string, init: object) => {
          tries += 1;
          return fetch(to, { ...init, dispatcher });
        }) as never,
      });
      const question = { model: 'gpt-4.1', messages: [{ role: 'user' as const, content: 'hi' }] };
      await openai.chat.completions.create(question);
      for (const asked of [
        () => openai.chat.completions.create({ ...question, stream: true }),
        () => openai.responses.create({ model: 'gpt-4.1', input: 'hi' }),
      ])
        await assert.rejects(asked, (error: InstanceType<typeof OpenAI.APIError>) => {
          assert.equal(error.status, 429);
          assert.equal(error.code, 'budget_exceeded');
          assert.match(error.message, /budget is used up: 1 turns a day\. .* Ask ops\./);
          return true;
        });
      assert.equal(tries, 3);
      await dispatcher.close();
    }));

  it('let what the real language server asks within one question pass', () =>
    withProxy(configOf([{ everyone: true, turns: 1, action: 'refuse' }]), async (proxy) => {
      const session = await openSession(proxy, 'alice', API_HOST);
      for (const name of [CHAT_TURN, CHAT_SUGGESTIONS]) {
        const { headers, body } = capture(name);
        assert.equal((await ask(session, headers, JSON.stringify(body))).status, 200);
      }
      const { headers, body } = capture(CHAT_TURN);
      const another = { ...headers, 'x-interaction-id': 'another' };
      assert.equal((await ask(session, another, JSON.stringify(body))).status, 429);
      session.close();
    }));

  it('are exact for turns that run side by side', () =>
    withProxy(
      configOf([{ everyone: true, turns: 5, action: 'refuse', shared: true }]),
      async (proxy, fake) => {
        const sessions = await Promise.all(['alice', 'bob', 'carol'].map((user) => openSession(proxy, user, API_HOST)));
        const answers = await Promise.all(
          Array.from({ length: 30 }, (_, i) => ask(sessions[i % 3] as (typeof sessions)[0], CHAT, chatRequest('hi'))),
        );
        for (const session of sessions) session.close();
        assert.equal(answers.filter(({ status }) => status === 200).length, 5);
        assert.equal(fake.requests.length, 5);
      },
      () => ({ delayMs: 5 }),
    ));

  it('go on over a restart and a reload, and the command says how they stand', async () => {
    const fake = await startFakeCopilot();
    const config = configOf([
      { everyone: true, turns: 3, action: 'refuse' },
      { group: 'trial', tokens: 1_000, shared: true },
    ]);
    const first = await ProxyProcess.start({ upstream: fake, config });
    const { folder } = first;
    try {
      assert.deepEqual(await statusesOf(first, 'alice', 2), [200, 200]);
      assert.deepEqual(await statusesOf(first, 'bob', 1), [200]);
      await first.stop({ keep: true });
      const second = await ProxyProcess.start({ upstream: fake, config, folder });
      const since = second.output.length;
      second.write('addons.config.ts', config.replace('"turns":3', '"turns":4'));
      await second.said(/addons\.config\.ts/, since);
      await eventually('another turn', async () => (await statusesOf(second, 'alice', 1))[0] === 200);
      const [status] = await statusesOf(second, 'alice', 2).then((all) => all.slice(-1));
      assert.equal(status, 429);
      await second.stop({ keep: true });
      const cli = new CliProcess({ args: ['budgets'], folder, listenByConfig: true });
      assert.equal(await cli.ended, 0);
      assert.match(cli.output, /^\d{4}-\d\d-\d\d \(UTC\)\nWHO +TURNS +COMPLETIONS +TOKENS +CREDITS\n/);
      assert.match(cli.output, /^alice +4 of 4 +0 +\d+ +0$/m);
      assert.match(cli.output, /^bob +1 of 4 +0 +32 +0$/m);
      assert.match(cli.output, /^group trial, together +1 +0 +32 of 1,000 +0$/m);
      const wrong = new CliProcess({ args: ['budgets', 'alice'], folder, listenByConfig: true });
      assert.equal(await wrong.ended, 2);
    } finally {
      rmSync(folder, { recursive: true });
      await fake.close();
    }
  });

  it('make nobody wait for a webhook that is down, and keep its address to themselves', () =>
    withProxy(
      configOf([{ everyone: true, turns: 2, at: [0.5, 1] }], { webhook: 'http://127.0.0.1:1/s3cret?token=s3cret' }),
      async (proxy) => {
        assert.deepEqual(await statusesOf(proxy, 'alice', 4), [200, 200, 200, 200]);
        await proxy.said(/cannot post warnings to the webhook at 127\.0\.0\.1:1: /, 0, 30_000);
        await proxy.stop({ keep: true });
        assert.equal(proxy.output.match(/cannot post warnings/g)?.length, 1);
        assert.doesNotMatch(proxy.output + proxy.read('logs/insight-dump.log'), /s3cret/);
      },
    ));

  it('answer a WebSocket with a 429, and close one that is open', () =>
    withProxy(configOf([{ user: 'alice', turns: 1, action: 'refuse' }]), async (proxy, fake) => {
      const server = new WebSocketUpstream(fake);
      const open = await openWebSocket(proxy, '/responses');
      assert.deepEqual(await statusesOf(proxy, 'alice', 1), [200]);
      await proxy.said(/⛔ user alice/);
      const closed = closing(open);
      open.send(JSON.stringify({ type: 'response.create', initiator: 'user', input: 'more' }));
      assert.equal((await closed)[0], 1006);
      const socket = await openTunnel(proxy, 'alice', API_HOST);
      const refused = new WebSocket(`wss://${API_HOST}/responses`, { createConnection: () => socket });
      const status = await new Promise((resolve) => {
        refused.on('error', () => {});
        refused.once('unexpected-response', (_request, response) => resolve(response.statusCode));
      });
      assert.equal(status, 429);
      assert.equal(server.requests.length, 1);
    }));

  it('cost nothing without limits', () =>
    withProxy(configOf([]), async (proxy) => {
      assert.deepEqual(await statusesOf(proxy, 'alice', 3), [200, 200, 200]);
      await proxy.recorded(3);
      assert.equal(existsSync(proxy.path('logs/budgets.json')), false);
    }));
});
