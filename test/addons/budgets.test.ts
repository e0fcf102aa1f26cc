import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import { z } from 'zod';
import budgets from '../../addons/budgets.ts';
import type { Addon } from '../../core/addon.ts';
import { type AddonTest, type FlowParts, makeFlow, testAddon } from '../kit.ts';
import { eventually, makeFolder } from '../proxy-process.ts';

const API = 'https://api.githubcopilot.com';
const GHOST = 'https://proxy.githubcopilot.com/v1/engines/any/completions';
const ANSWER = JSON.stringify({
  choices: [{ index: 0, message: { content: 'x' }, text: 'x', finish_reason: 'stop' }],
  usage: { prompt_tokens: 90, completion_tokens: 10 },
  copilot_usage: { total_nano_aiu: 100_000_000 },
});
const USER = { 'x-initiator': 'user' };
const AGENT = { 'x-initiator': 'agent' };

interface Refused {
  type?: string;
  error: { code: string; message: string; type: string };
}

describe('budgets', () => {
  let logs: string;
  let addon: AddonTest | undefined;
  beforeEach(() => {
    logs = makeFolder();
  });
  afterEach(async () => {
    await addon?.stop();
    addon = undefined;
    rmSync(logs, { recursive: true });
  });

  const begin = async (limits: readonly object[], more: object = {}) => {
    addon = await testAddon(budgets, { logs, options: { limits, ...more } });
    return addon;
  };
  const chat = (parts: FlowParts = {}) =>
    makeFlow({ url: `${API}/chat/completions`, method: 'POST', headers: USER, response: { body: ANSWER }, ...parts });
  const ask = async (parts: FlowParts = {}) => (addon as AddonTest).run(chat(parts));
  const status = async (parts: FlowParts = {}) => (await ask(parts)).received?.status;
  const statuses = async (...all: readonly FlowParts[]) => {
    const found: (number | undefined)[] = [];
    for (const parts of all) found.push(await status(parts));
    return found;
  };
  const file = () => path.join(logs, 'budgets.json');
  const warnings = () => (addon as AddonTest).log.of('warn');
  /** Sets the clock that flows and the addon go by. */
  const setClock = (t: TestContext) => {
    const { now } = Date;
    t.after(() => {
      Date.now = now;
    });
    return (iso: string) => {
      Date.now = () => Date.parse(iso);
    };
  };

  it('refuse what is over the limit before the upstream is asked, and say until when', async (t) => {
    setClock(t)('2026-11-25T22:30:00.000Z');
    await begin([{ user: 'alice', turns: 2, action: 'refuse' }], { contact: 'Ask ops@example.com for more.' });
    assert.deepEqual(await statuses({}, {}), [200, 200]);
    const { sent, received } = await ask();
    assert.equal(sent, undefined);
    assert.equal(received?.status, 429);
    assert.equal(received?.headers.get('retry-after'), '5400');
    assert.equal(received?.headers.get('x-should-retry'), 'false');
    assert.equal(received?.headers.get('x-insight-dump'), 'BUDGET');
    assert.deepEqual(JSON.parse(received?.body ?? ''), {
      error: {
        message:
          "Today's Copilot budget is used up: 2 turns a day. It starts anew at 00:00 UTC, in 1 h 30 min. Ask ops@example.com for more.",
        type: 'rate_limit_error',
        param: null,
        code: 'budget_exceeded',
      },
    });
    assert.equal(await status({ user: 'bob' }), 200);
  });

  it('refuse in the form of each API', async () => {
    await begin([{ everyone: true, turns: 1, completions: 1, action: 'refuse' }]);
    await ask();
    await ask({ url: GHOST });
    for (const url of [`${API}/chat/completions`, `${API}/responses`, `${API}/v1/messages`, GHOST]) {
      const { received } = await ask({ url });
      const body = JSON.parse(received?.body ?? '') as Refused;
      assert.equal(received?.status, 429, url);
      assert.equal(body.error.code, 'budget_exceeded');
      assert.match(body.error.message, /budget is used up: 1 (turns|completions) a day \(everyone\)/);
      assert.equal(body.type, url.endsWith('messages') ? 'error' : undefined);
    }
  });

  it('refuse only what uses the unit that is used up', async () => {
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
    await ask();
    const others = ['/models', '/embeddings', '/telemetry', '/_ping', '/mcp/'].map((name) => ({ url: API + name }));
    const read = { url: `${API}/responses`, method: 'GET' };
    for (const parts of [{ url: GHOST }, read, ...others]) assert.equal(await status(parts), 200, parts.url);
    assert.equal(await status({ url: `${API}/responses` }), 429);
  });

  it('limit tokens, credits and completions, and add up fractions exactly', async () => {
    await begin([
      { user: 'alice', tokens: 250, action: 'refuse' },
      { user: 'bob', credits: 0.3, action: 'refuse' },
      { user: 'carol', completions: 2, action: 'refuse' },
    ]);
    assert.deepEqual(await statuses({}, {}, {}, {}), [200, 200, 200, 429]);
    const bob = { user: 'bob' };
    assert.deepEqual(await statuses(bob, bob, bob, bob), [200, 200, 200, 429]);
    const carol = { user: 'carol', url: GHOST };
    const speculative = { ...carol, headers: { 'x-copilot-speculative': 'true' } };
    assert.deepEqual(await statuses(carol, speculative, carol, carol), [200, 200, 200, 429]);
    assert.equal(await status({ user: 'carol' }), 200);
  });

  it('apply to each in a group, or to all of it together', async () => {
    await begin([
      { group: 'trial', turns: 1, action: 'refuse' },
      { group: 'team', turns: 3, action: 'refuse', shared: true },
    ]);
    const trial = (user: string) => ({ user, groups: ['trial'] });
    const team = (user: string) => ({ user, groups: ['other', 'team'] });
    assert.deepEqual(await statuses(trial('a'), trial('a'), trial('b'), { user: 'c' }), [200, 429, 200, 200]);
    assert.deepEqual(await statuses(team('d'), team('e'), team('d'), team('e'), team('f')), [200, 200, 200, 429, 429]);
    const { received } = await ask(team('f'));
    assert.match(received?.body ?? '', /3 turns a day \(group team, together\)/);
  });

  it('let the strictest of several decide', async () => {
    await begin([
      { everyone: true, turns: 5, action: 'refuse' },
      { user: 'alice', tokens: 200, action: 'refuse' },
      { group: 'trial', turns: 1, action: 'warn' },
    ]);
    const alice = { groups: ['trial'] };
    assert.deepEqual(await statuses(alice, alice, alice), [200, 200, 429]);
  });

  describe('within a question that was let in', () => {
    const step = { 'x-initiator': 'agent', 'x-interaction-id': 'q1' };
    const toolResult = JSON.stringify({ messages: [{ role: 'tool', content: 'x' }] });

    it('let an agent go on, so far', async () => {
      await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
      assert.equal(await status({ headers: { ...USER, 'x-interaction-id': 'q1' } }), 200);
      for (let i = 0; i < 100; i++) assert.equal(await status({ headers: step, body: toolResult }), 200);
      assert.equal(await status({ headers: step, body: toolResult }), 429);
      assert.equal(await status({ headers: { ...step, 'x-interaction-id': 'q2' } }), 429);
      assert.equal(await status({ user: 'bob', headers: step }), 200);
    });

    it('let what the editor asks with it go on, whoever is named as initiator', async () => {
      await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
      const headers = { ...USER, 'x-interaction-id': 'q1' };
      assert.deepEqual(await statuses({ headers }, { headers }), [200, 200]);
      assert.equal(await status({ headers: { ...USER, 'x-interaction-id': 'q2' } }), 429);
    });

    it('let an agent without an interaction go on with the last question', async () => {
      await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
      assert.deepEqual(await statuses({}, { headers: AGENT }, {}), [200, 200, 429]);
    });

    it('let nothing go on an hour later', async (t) => {
      const setTime = setClock(t);
      await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
      setTime('2026-11-25T10:00:00.000Z');
      await ask({ headers: { ...USER, 'x-interaction-id': 'q1' } });
      setTime('2026-11-25T10:59:00.000Z');
      assert.equal(await status({ headers: step, body: toolResult }), 200);
      setTime('2026-11-25T11:01:00.000Z');
      assert.equal(await status({ headers: step, body: toolResult }), 429);
    });
  });

  it('let in no more side by side than are left', async () => {
    await begin([{ everyone: true, turns: 7, completions: 5, action: 'refuse', shared: true }]);
    for (const [url, max] of [
      [`${API}/chat/completions`, 7],
      [GHOST, 5],
    ] as const) {
      const flows = Array.from({ length: 40 }, (_, i) => ask({ url, user: `user ${i % 3}` }));
      const answers = await Promise.all(flows);
      assert.equal(answers.filter(({ received }) => received?.status === 200).length, max);
    }
  });

  it('keep nothing for a flow that had no answer to count', async (t) => {
    const setTime = setClock(t);
    setTime('2026-11-25T10:00:00.000Z');
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
    await ask({ response: { status: 500 } });
    await (addon as AddonTest).run(
      makeFlow({ url: `${API}/responses`, method: 'POST', error: { by: 'upstream', code: 'X', message: '' } }),
    );
    setTime('2026-11-25T10:00:03.000Z');
    assert.deepEqual(await statuses({}, {}), [200, 429]);
  });

  it('warn once for each part, user and day, and go on', async () => {
    await begin([{ everyone: true, turns: 5 }]);
    for (let i = 0; i < 8; i++) assert.equal(await status(), 200);
    assert.deepEqual(warnings(), [
      '⚠️  user alice has used 80% of 5 turns a day (everyone)',
      '⚠️  user alice has used 100% of 5 turns a day (everyone)',
    ]);
    assert.equal(await status({ user: 'bob' }), 200);
    assert.equal(warnings().length, 2);
  });

  it('say one line where one step is over several parts, and that more is refused', async () => {
    await begin([{ user: 'alice', tokens: 90, action: 'refuse', at: [0.5, 0.9, 1] }]);
    await ask();
    assert.deepEqual(warnings(), ['⛔ user alice has used 111% of 90 tokens a day; more is refused until 00:00 UTC']);
  });

  it('begin anew at midnight in UTC', async (t) => {
    const setTime = setClock(t);
    setTime('2026-11-25T23:59:59.000Z');
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
    assert.deepEqual(await statuses({}, {}), [200, 429]);
    setTime('2026-11-26T00:00:00.000Z');
    assert.deepEqual(await statuses({}, {}), [200, 429]);
    assert.equal(warnings().length, 2);
    // A clock that is put back brings back no day.
    setTime('2026-11-25T23:59:59.500Z');
    assert.equal(await status(), 429);
  });

  it('begin anew at midnight in the time zone that is set, also when clocks change', async (t) => {
    const setTime = setClock(t);
    setTime('2026-10-24T22:00:00.000Z');
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }], { timeZone: 'Europe/Berlin' });
    assert.equal(await status(), 200);
    const { received } = await ask();
    // That day has 25 hours.
    assert.equal(received?.headers.get('retry-after'), '90000');
    assert.match(received?.body ?? '', /starts anew at 00:00 Europe\/Berlin, in 25 h 0 min/);
    setTime('2026-10-25T22:59:59.000Z');
    assert.equal(await status(), 429);
    setTime('2026-10-25T23:00:00.000Z');
    assert.deepEqual(await statuses({}, {}), [200, 429]);
    assert.match(warnings()[0] ?? '', /more is refused until 00:00 Europe\/Berlin$/);
    await addon?.stop();
    assert.equal(JSON.parse(readFileSync(file(), 'utf8')).date, '2026-10-26');
    // Where it is still yesterday, what has been used is not forgotten.
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }], { timeZone: 'America/New_York' });
    assert.equal(await status(), 429);
  });

  it('want to read WebSockets only where they could refuse', async () => {
    const reads = (path: string) => {
      const [instance = assert.fail()] = (addon as AddonTest).host.pin().chain.takers.websocketMessage;
      return instance.addon.readsWebSocket?.(path, instance.context);
    };
    await begin([{ user: 'alice', turns: 1, action: 'warn' }]);
    assert.equal(reads('/responses'), false);
    await addon?.configure({ limits: [{ user: 'alice', turns: 1, action: 'refuse' }] });
    assert.deepEqual(['/responses?x=1', '/mcp'].map(reads), [true, false]);
  });

  it('refuse a time zone that there is not', async () => {
    await assert.rejects(begin([], { timeZone: 'Mars/Olympus' }), /timeZone.*expected the name of a time zone/);
  });

  it('go on over a restart and over a reload, without a second warning', async () => {
    await begin([{ user: 'alice', turns: 2, action: 'refuse' }], {});
    await ask();
    await addon?.begin([{ name: 'budgets', addon: { ...(budgets as Addon) } }]);
    assert.deepEqual(await statuses({}, {}), [200, 429]);
    await addon?.stop();
    assert.equal(statSync(file()).mode & 0o777, 0o600);
    await begin([{ user: 'alice', turns: 2, action: 'refuse' }]);
    assert.equal(await status(), 429);
    assert.deepEqual(warnings(), []);
  });

  it('begin anew after a restart on another day', async () => {
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
    await ask();
    await addon?.stop();
    writeFileSync(file(), readFileSync(file(), 'utf8').replace(/"date": "\d+/, '"date": "2020'));
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
    assert.deepEqual(await statuses({}, {}), [200, 429]);
    assert.equal(warnings().length, 1);
  });

  it('take limits that change', async () => {
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
    await ask();
    await addon?.configure({ limits: [{ user: 'alice', turns: 2, action: 'refuse' }] });
    assert.deepEqual(await statuses({}, {}), [200, 429]);
    await addon?.configure({ limits: [] });
    assert.equal(await status(), 200);
  });

  it('move a damaged file aside, and forget a day that is to come', async () => {
    for (const damaged of ['{"date": "202', '[]', '{"date":"2026-11-25","tallies":[{"subject":{"user":5}}]}']) {
      writeFileSync(file(), damaged);
      await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
      assert.deepEqual(await statuses({}, {}), [200, 429]);
      assert.match(addon?.log.of('error').join() ?? '', /is damaged; it is now budgets\.json\.broken-\d+/);
      await addon?.stop();
    }
    assert.equal(readdirSync(logs).filter((name) => name.startsWith('budgets.json.broken-')).length, 3);
    const text = readFileSync(file(), 'utf8');
    writeFileSync(file(), text.replace(/"date": "\d+/, '"date": "2999'));
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
    assert.equal(await status(), 200);
  });

  it('go on when the file cannot be written, and write all of it when it can again', async () => {
    await begin([{ user: 'alice', turns: 9, action: 'refuse' }]);
    // That stops root, too.
    rmSync(logs, { recursive: true });
    writeFileSync(logs, 'no folder');
    await ask();
    await eventually('the error', () => addon?.log.of('error').length === 1);
    rmSync(logs);
    await ask();
    await eventually('all of it', () => warnings().some((line) => /nothing is missing/.test(line)));
    assert.match(readFileSync(file(), 'utf8'), /"turns": 2/);
  });

  it('are not poisoned by names', async () => {
    await begin([{ everyone: true, turns: 1, action: 'refuse' }]);
    const names = ['__proto__', 'constructor', 'toString'];
    for (const user of names) assert.equal(await status({ user, groups: [user] }), 200);
    await addon?.stop();
    await begin([{ everyone: true, turns: 1, action: 'refuse' }]);
    for (const user of names) assert.equal(await status({ user }), 429);
  });

  it('count neither what counts as nothing nor what nothing may be kept of', async () => {
    const privacy: Addon = {
      // One test's addons have the same options.
      options: z.object({ limits: z.array(z.unknown()) }),
      exchange(exchange) {
        if (exchange.user === 'bob') exchange.keep = 'nothing';
        exchange.user = 'a pseudonym';
      },
    };
    await (await begin([{ everyone: true, turns: 1, action: 'refuse' }])).begin([
      { name: 'privacy', addon: privacy },
      { name: 'budgets', addon: budgets as unknown as Addon },
    ]);
    assert.deepEqual(await statuses({ response: { status: 500 } }, { user: 'bob' }, { user: 'bob' }), [500, 200, 200]);
    assert.deepEqual(await statuses({}, {}), [200, 429]);
  });

  it('close an open WebSocket on which more is asked, but not to an agent', async () => {
    await begin([{ user: 'alice', turns: 1, action: 'refuse' }]);
    const socket = () =>
      makeFlow({ url: `${API}/responses`, headers: { connection: 'Upgrade', upgrade: 'websocket' } });
    const asked = (initiator: string) => ({
      from: 'client' as const,
      content: JSON.stringify({ type: 'response.create', initiator }),
    });
    const flow = socket();
    const other = socket();
    assert.equal((await addon?.webSocket(flow, [asked('user')]))?.length, 1);
    // One that is being answered is as good as used; closed, it is not.
    assert.equal((await addon?.webSocket(other, [asked('user'), asked('user')]))?.length, 1);
    assert.ok(other.killed);
    await ask();
    const messages = [asked('agent'), { from: 'server', content: '{}' } as const, asked('user')];
    assert.equal((await addon?.webSocket(flow, messages))?.length, 2);
    assert.ok(flow.killed);
    assert.equal((await addon?.run(socket()))?.received?.status, 429);
  });

  it('say what is wrong with limits', async () => {
    for (const [limit, problem] of [
      [{ turns: 5 }, /limits\.0: say whom it is for/],
      [{ user: 'a', group: 'b', turns: 5 }, /limits\.0: say whom it is for by one of/],
      [{ user: 'a' }, /limits\.0: say how much by at least one of turns, completions, tokens, credits/],
      [{ user: 'a', turns: 0 }, /limits\.0\.turns/],
      [{ user: 'a', turns: 1.5 }, /limits\.0\.turns/],
      [{ user: 'a', turns: 1, at: [80] }, /limits\.0\.at\.0/],
      [{ user: 'a', turns: 1, shared: true }, /shared goes with group or everyone/],
      [{ user: 'a', turns: 1, action: 'deny' }, /limits\.0\.action/],
      [{ user: 'a', turn: 1 }, /"turn"/],
    ] as const)
      await assert.rejects(begin([limit]), problem);
    for (const webhook of ['ftp://example.com/SECRET', 'https://u:SECRET@example.com', 'SECRET'])
      await assert.rejects(begin([], { webhook }), (error: Error) => {
        assert.match(error.message, /budgets: webhook: /);
        assert.doesNotMatch(error.message, /SECRET/);
        return true;
      });
  });
});
