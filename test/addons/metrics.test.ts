import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import metrics from '../../addons/metrics.ts';
import type { Addon } from '../../core/addon.ts';
import { type AddonTest, type FlowParts, makeFlow, testAddon } from '../kit.ts';
import { type MetricsDay, makeFolder } from '../proxy-process.ts';

const TODAY = new Date().toISOString().slice(0, 10);
const CHAT = 'https://api.githubcopilot.com/chat/completions';
const ANSWER = '{"choices":[{"index":0,"text":"x","finish_reason":"stop"}]}';
const COMPLETIONS = 'https://proxy.githubcopilot.com/v1/engines/any/completions';

describe('the metrics', () => {
  let logs: string;
  let counter: AddonTest;
  beforeEach(async () => {
    logs = makeFolder();
    counter = await testAddon(metrics, { logs });
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const file = (day = TODAY) => path.join(logs, `metrics/copilot-usage_${day}.json`);
  const count = async (parts: FlowParts = {}) => {
    const headers = { 'editor-version': 'vscode/1' };
    await counter.run(makeFlow({ url: CHAT, method: 'POST', headers, response: { body: ANSWER }, ...parts }));
  };
  /** Ends the addon, which writes what is left, and reads the file. */
  const result = async (day?: string): Promise<MetricsDay> => {
    await counter.stop();
    return JSON.parse(readFileSync(file(day), 'utf8'));
  };

  it('count chats by editor, and completions by editor and language', async () => {
    await count();
    await count({ headers: {} });
    await count({ url: COMPLETIONS, body: '{"extra":{"language":"python"}}' });
    await count({ url: COMPLETIONS, body: '{"extra":{"language":"python"}}', user: 'bob' });
    await count({ url: COMPLETIONS, user: undefined });
    assert.deepEqual(seedKeys(await result()), {
      day: TODAY,
      total_chat_turns: 2,
      total_completions_count: 3,
      usage: {
        alice: {
          chat_turns: 2,
          completions_count: 1,
          chat: { 'vscode-1': 1, '-': 1 },
          completions: { 'vscode-1': { python: 1 } },
        },
        anonymous: { chat_turns: 0, completions_count: 1, chat: {}, completions: { 'vscode-1': { unknown: 1 } } },
        bob: { chat_turns: 0, completions_count: 1, chat: {}, completions: { 'vscode-1': { python: 1 } } },
      },
    });
  });

  it('add to what the file of the day says, the seed’s own included', async () => {
    mkdirSync(path.dirname(file()));
    const seed = JSON.parse(readFileSync(path.join(import.meta.dirname, '../fixtures/seed/metrics-day.json'), 'utf8'));
    writeFileSync(file(), JSON.stringify({ ...seed, day: TODAY }));
    await count({ headers: { 'editor-version': 'vscode/1.96.2' } });
    const expected = structuredClone({ ...seed, day: TODAY });
    expected.total_chat_turns += 1;
    expected.usage.alice.chat_turns += 1;
    expected.usage.alice.chat['vscode-1.96.2'] += 1;
    assert.deepEqual(seedKeys(await result()), expected);
  });

  it('put each exchange into the day on which it ended, in UTC', async (t) => {
    const { now } = Date;
    t.after(() => {
      Date.now = now;
    });
    for (const time of ['2026-01-31T23:59:59.900Z', '2026-02-01T00:00:00.000Z']) {
      // What a flow takes it from when it begins.
      Date.now = () => Date.parse(time);
      await count();
    }
    assert.equal((await result('2026-01-31')).total_chat_turns, 1);
    assert.equal(JSON.parse(readFileSync(file('2026-02-01'), 'utf8')).total_chat_turns, 1);
  });

  it('are right when many come at once', async () => {
    await Promise.all(Array.from({ length: 500 }, (_, i) => count({ user: `user ${i % 7}` })));
    const day = await result();
    assert.equal(day.total_chat_turns, 500);
    assert.equal(
      Object.values(day.usage).reduce((sum, { chat_turns }) => sum + chat_turns, 0),
      500,
    );
  });

  it('go on over a reload of the addon', async () => {
    await count();
    await counter.begin([{ name: 'metrics', addon: { ...(metrics as Addon) } }]);
    await count();
    assert.equal((await result()).total_chat_turns, 2);
  });

  it('move a damaged file aside, say so, and count again what the journal has', async () => {
    const damaged = ['{"day": "202', '{"day": "x", "usage": {"alice": 5}}', '[]'];
    for (const [i, text] of damaged.entries()) {
      mkdirSync(path.dirname(file()), { recursive: true });
      writeFileSync(file(), text);
      await count();
      assert.equal((await result()).total_chat_turns, i + 1);
      const said = counter.log.lines.map(({ message }) => message).join();
      assert.match(said, /is damaged; it is now \S+\.json\.broken-\d+/);
      counter = await testAddon(metrics, { logs });
    }
    const names = readdirSync(path.dirname(file()));
    assert.equal(names.filter((name) => name.includes('.json.broken-')).length, damaged.length);
  });

  it('are not poisoned by names', async () => {
    const headers = { 'editor-version': '__proto__' };
    for (const user of ['__proto__', 'constructor', 'toString']) {
      await count({ user, headers });
      await count({ user, headers, url: COMPLETIONS, body: '{"extra":{"language":"__proto__"}}' });
    }
    const first = await result();
    assert.deepEqual(Object.keys(first.usage), ['__proto__', 'constructor', 'toString']);
    const read = () => JSON.parse(readFileSync(file(), 'utf8'));
    const counts = (day: MetricsDay) =>
      Object.values(day.usage).map(({ chat, completions }) => [
        Object.entries(chat),
        Object.entries(completions).map(([editor, languages]) => [editor, Object.entries(languages)]),
      ]);
    const expected = [[['__proto__', 1]], [['__proto__', [['__proto__', 1]]]]];
    assert.deepEqual(counts(first), [expected, expected, expected]);
    assert.equal(({} as Record<string, unknown>).chat_turns, undefined);
    // And when they are read again.
    counter = await testAddon(metrics, { logs });
    await count({ user: '__proto__', headers });
    await counter.stop();
    assert.deepEqual(counts(read())[0], [[['__proto__', 2]], [['__proto__', [['__proto__', 1]]]]]);
  });

  it('do not count what is not to be counted', async () => {
    const flow = makeFlow({ url: CHAT, method: 'POST', response: { body: '{}' } });
    flow.metadata.uncounted = 'test';
    await counter.run(flow);
    await counter.begin([
      { name: 'secret', addon: { exchange: (exchange) => Object.assign(exchange, { keep: 'nothing' }) } },
      { name: 'metrics', addon: metrics as Addon },
    ]);
    await count();
    await counter.stop();
    assert.deepEqual(readdirSync(logs), []);
  });

  it('count beside the seed’s keys what failed or was cancelled', async () => {
    await count({ error: { by: 'upstream', code: 'X', message: '' } });
    await count({ error: { by: 'client', code: 'CLIENT_CLOSED', message: '' }, response: { body: '' } });
    const { total_chat_turns, usage } = await result();
    assert.equal(total_chat_turns, 0);
    const { chat_turns, chat, insight } = usage.alice as MetricsDay['usage'][string];
    assert.deepEqual([chat_turns, chat, insight.errors, insight.cancelled], [0, {}, 1, 1]);
    assert.deepEqual([insight.counted, insight.first_seen], [{}, null]);
  });

  it('count what never was answered, and no tokens of it', async () => {
    for (const error of [
      { by: 'upstream', code: 'ECONNREFUSED', message: '' },
      { by: 'addon', code: 'KILLED', message: '' },
      { by: 'client', code: 'CLIENT_CLOSED', message: '' },
    ] as const) {
      const body = JSON.stringify({ messages: [{ role: 'user', content: 'a question' }] });
      await counter.run(makeFlow({ url: CHAT, body, error }));
    }
    const { total_chat_turns, usage } = await result();
    const { insight } = usage.alice as MetricsDay['usage'][string];
    assert.deepEqual([total_chat_turns, insight.errors, insight.cancelled, insight.counted], [0, 2, 1, {}]);
    const { prompt, completion, estimated_exchanges } = insight.tokens;
    assert.deepEqual([prompt, completion, estimated_exchanges], [0, 0, 0]);
  });

  it('count by the days of the time zone that is set', async (t) => {
    const { now } = Date;
    t.after(() => {
      Date.now = now;
    });
    await counter.configure({ timeZone: 'Asia/Tokyo' });
    Date.now = () => Date.parse('2026-03-31T15:00:00Z');
    await count();
    assert.equal((await result('2026-04-01')).total_chat_turns, 1);
  });

  it('refuse a time zone that there is not', async () => {
    await assert.rejects(counter.configure({ timeZone: 'Mars/Olympus' }), /timeZone.*expected the name of a time zone/);
  });

  it('sum up teams by the groups that users are in', async () => {
    const inTeams = async (user: string, groups: readonly string[]) => {
      const flow = makeFlow({ url: CHAT, method: 'POST', user, response: { body: ANSWER } });
      flow.client.groups = groups;
      await counter.run(flow);
    };
    await inTeams('alice', ['red', 'blue']);
    await inTeams('alice', ['red']);
    await inTeams('bob', ['red']);
    const { teams } = (await result()).insight;
    assert.deepEqual(
      Object.entries(teams).map(([name, { members, counted }]) => [name, members, counted]),
      [
        ['blue', ['alice'], { turn: 1 }],
        ['red', ['alice', 'bob'], { turn: 3 }],
      ],
    );
  });
});

/** As old readers see a day: without what stands beside the seed's keys. */
function seedKeys({ insight: _insight, usage, ...day }: MetricsDay) {
  const users = Object.entries(usage).map(([user, { insight: _beside, ...seed }]) => [user, seed]);
  return { ...day, usage: Object.fromEntries(users) };
}
