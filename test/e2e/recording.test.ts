import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { ask, openSession } from '../clients.ts';
import { type FakeCopilot, SAMPLE_PIECES, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, type MetricsDay, ProxyProcess, type UsageRecord } from '../proxy-process.ts';
import {
  API_HOST,
  CHAT_SUGGESTIONS,
  CHAT_TURN,
  COMPLETIONS_PATH,
  capture,
  chatRequest,
  completionRequest,
  GHOST,
  GIT_COMMIT,
  MESSAGES,
  PANEL,
  PROXY_HOST,
  RESPONSES,
} from '../requests.ts';
import { type Stage, setStage } from '../stage.ts';

const TEXT = SAMPLE_PIECES.join('');

/** Of one that is shared; each test has the next, so that records and counts are its own. */
const USERS = Array.from({ length: 20 }, (_, i) => `user-${i}`);
const unused = [...USERS];
let shared: Stage;
setStage({ args: USERS.flatMap((user) => ['--set', `auth.users=${user}`]) }, undefined, (stage) => {
  shared = stage;
});

/** A user of the shared proxy of whom there is nothing yet. */
interface Newcomer extends Stage {
  readonly user: string;
  /** Waits for so many records of the user. */
  recorded(count: number): Promise<UsageRecord[]>;
  /** The user's counts, once they satisfy `are`. */
  counted(are: (counts: MetricsDay['usage'][string]) => boolean): Promise<MetricsDay['usage'][string]>;
}

async function withNewcomer(test: (newcomer: Newcomer) => Promise<void>, plan?: FakeCopilot['plan']): Promise<void> {
  const user = unused.shift() ?? assert.fail('no user is left');
  const { fake, proxy } = shared;
  fake.plan = plan ?? (() => ({}));
  const own = () => [...proxy.records().values()].filter((record) => record['proxy-authorization'] === user);
  await test({
    ...{ user, fake, proxy },
    recorded: (count) => eventually(`${count} records of ${user}`, () => own().length >= count && own()),
    counted: async (are) => {
      const { usage } = await proxy.metrics((day) => day.usage[user] !== undefined && are(day.usage[user]));
      return usage[user] ?? assert.fail();
    },
  });
}

/** A proxy that has counted nothing. */
async function withProxy(
  test: (proxy: ProxyProcess, fake: FakeCopilot) => Promise<void>,
  plan?: FakeCopilot['plan'],
  config?: string,
): Promise<void> {
  const fake = await startFakeCopilot(plan);
  try {
    const proxy = await ProxyProcess.start({ upstream: fake, ...(config !== undefined && { config }) });
    try {
      await test(proxy, fake);
    } finally {
      await proxy.stop();
    }
  } finally {
    await fake.close();
  }
}

async function send(proxy: ProxyProcess, user: string, name: string) {
  const { host, headers, body } = capture(name);
  const session = await openSession(proxy, user, host);
  const answer = await ask(session, headers, JSON.stringify(body));
  session.close();
  return answer;
}

describe('what the real language server sends', () => {
  it('is recorded for ghost text, with each choice by itself', () =>
    withNewcomer(async ({ user, proxy, recorded, counted }) => {
      await send(proxy, user, GHOST);
      const [record] = await recorded(1);
      assert.deepEqual(
        record?.insight.choices.map(({ text }) => text),
        [TEXT, SAMPLE_PIECES.map((piece) => `1${piece}`).join(''), SAMPLE_PIECES.map((piece) => `2${piece}`).join('')],
      );
      assert.deepEqual(record?.request.content, capture(GHOST).body);
      const { completions } = await counted((counts) => counts.completions_count === 1);
      assert.deepEqual(completions, { 'Harness-1.0.0': { python: 1 } });
    }));

  it('is one turn for a question and the suggestions that are asked for with it, and none for a commit message', () =>
    withNewcomer(async ({ user, proxy, recorded, counted }) => {
      for (const name of [PANEL, CHAT_TURN, CHAT_SUGGESTIONS, GIT_COMMIT]) await send(proxy, user, name);
      const records = await recorded(4);
      assert.equal(records.find(({ insight }) => insight.kind === 'completions')?.insight.choices.length, 10);
      assert.deepEqual(records.map(({ insight }) => insight.counted.as).sort(), [
        'background',
        'commitMessage',
        'completion',
        'turn',
      ]);
      const counts = await counted(({ completions_count, chat_turns }) => completions_count + chat_turns === 2);
      assert.deepEqual([counts.chat_turns, counts.completions_count], [1, 1]);
    }));

  it('is a turn each over responses and messages', () =>
    withNewcomer(async ({ user, proxy, recorded, counted }) => {
      for (const name of [RESPONSES, MESSAGES]) await send(proxy, user, name);
      const records = await recorded(2);
      assert.deepEqual(records.map(({ insight }) => insight.endpoint).sort(), ['messages', 'responses']);
      await counted(({ chat_turns }) => chat_turns === 2);
    }));
});

describe('a record', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  let file: string;
  let record: UsageRecord;
  before(async () => {
    fake = await startFakeCopilot();
    proxy = await ProxyProcess.start({ upstream: fake });
    const session = await openSession(proxy, 'alice', API_HOST);
    const headers = {
      ':method': 'POST',
      ':path': '/chat/completions?token=in-the-url',
      'editor-version': 'vscode/1.96.2',
      'vscode-machineid': '4ce93ec3b2000000000000000000000000000000000000000000000000000000',
      authorization: 'Bearer tid=secret-token',
      cookie: 'session=secret-cookie',
      'x-request-id': 'r-1',
    };
    await ask(session, headers, chatRequest('what is  new?\\'));
    session.close();
    await proxy.recorded(1);
    [[file, record]] = [...proxy.records()] as [[string, UsageRecord]];
  });
  after(async () => {
    await proxy?.stop();
    await fake?.close();
  });

  it('lies where the seed puts it, under a name of time, machine, address and editor', () => {
    const name = /^alice\/chat\/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{6}_4ce93ec3b2_127\.0\.0\.1_vscode-1\.96\.2\.json$/;
    assert.match(file.replaceAll('\\', '/'), name);
    assert.equal(statSync(proxy.path('logs/usage', file)).mode & 0o777, 0o600);
  });

  it('has the fields of the seed, and one of its own', () => {
    const fields = ['proxy-authorization', 'timestamp', 'proxy-time-consumed', 'request', 'response', 'insight'];
    assert.deepEqual(Object.keys(record), fields);
    assert.deepEqual(Object.keys(record.request), ['url', 'method', 'headers', 'content']);
    assert.deepEqual(Object.keys(record.response), ['status_code', 'headers', 'content']);
    assert.equal(record['proxy-authorization'], 'alice');
    assert.match(record.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/);
    assert.match(record['proxy-time-consumed'], /^\d+\.\d\dms$/);
    assert.equal(record.response.status_code, 200);
  });

  it('holds the text to the byte', () => {
    const [choice] = record.insight.choices;
    assert.equal(choice?.text, TEXT);
    const { messages } = record.request.content as { messages: { content: string }[] };
    assert.equal(messages[0]?.content, 'what is  new?\\');
  });

  it('holds no credential, neither of a header nor of the URL', () => {
    assert.equal(record.request.url, `https://${API_HOST}/chat/completions`);
    assert.deepEqual(Object.keys(record.request.headers).sort(), [
      'editor-version',
      'vscode-machineid',
      'x-request-id',
    ]);
  });
});

describe('an answer', () => {
  const chat = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1.96.2' };

  it('is parsed as events although its content type says application/json, as the seed has it', () =>
    withNewcomer(
      async ({ user, proxy, recorded }) => {
        const session = await openSession(proxy, user, API_HOST);
        await ask(session, chat, chatRequest('hi'));
        session.close();
        const [record] = await recorded(1);
        assert.equal(record?.insight.choices[0]?.text, TEXT);
        assert.ok(Array.isArray(record?.response.content));
      },
      () => ({ contentType: 'application/json' }),
    ));

  for (const encoding of ['gzip', 'br'] as const) {
    it(`is recorded decoded when it comes in ${encoding}, and passes untouched`, () =>
      withNewcomer(
        async ({ user, proxy, recorded }) => {
          const session = await openSession(proxy, user, API_HOST);
          const answer = await ask(session, { ...chat, 'accept-encoding': encoding }, chatRequest('hi'));
          session.close();
          assert.equal(answer.headers['content-encoding'], encoding);
          const [record] = await recorded(1);
          assert.equal(record?.insight.choices[0]?.text, TEXT);
        },
        () => ({ encoding }),
      ));
  }

  it('that is not streamed is recorded as its JSON', () =>
    withNewcomer(async ({ user, proxy, recorded }) => {
      const session = await openSession(proxy, user, API_HOST);
      await ask(session, chat, chatRequest('hi', { stream: false }));
      session.close();
      const [record] = await recorded(1);
      assert.match(JSON.stringify(record?.response.content), /^{"id":"chatcmpl-fake"/);
      assert.equal(record?.insight.choices[0]?.text, TEXT);
    }));

  it('that is no JSON is kept as text', () =>
    withNewcomer(
      async ({ user, proxy, recorded }) => {
        const session = await openSession(proxy, user, API_HOST);
        await ask(session, chat, 'no JSON "either"');
        session.close();
        const [record] = await recorded(1);
        assert.equal(record?.request.content, 'no JSON "either"');
        assert.equal(record?.response.content, '<html>  down\\for a while</html>');
      },
      () => ({ body: '<html>  down\\for a while</html>', contentType: 'text/html' }),
    ));

  for (const code of [0, 8]) {
    it(`is complete when the client hangs up after the finish reason, before [DONE] (RST_STREAM ${code})`, () =>
      withNewcomer(
        async ({ user, proxy, fake, recorded, counted }) => {
          const session = await openSession(proxy, user, API_HOST);
          const stream = session.request(chat);
          stream.on('error', () => {});
          stream.end(chatRequest('hi'));
          let text = '';
          for await (const chunk of stream) {
            text += chunk;
            if (text.includes('"finish_reason":"stop"')) stream.close(code);
          }
          const [record] = await recorded(1);
          assert.equal(record?.insight.choices[0]?.text, TEXT);
          await counted(({ chat_turns }) => chat_turns === 1);
          await eventually('the upstream is told', () => fake.requests.at(-1)?.end === 'cancelled', 1_000);
          session.destroy();
        },
        () => ({ delayMs: 30 }),
      ));
  }

  it('that the client hangs up on once it has begun is a turn that was cancelled, and the upstream is told', () =>
    withNewcomer(
      async ({ user, proxy, fake, recorded }) => {
        const session = await openSession(proxy, user, API_HOST);
        const stream = session.request(chat);
        stream.on('error', () => {});
        stream.end(chatRequest('hi'));
        await new Promise((resolve) => stream.once('data', resolve));
        stream.close(8);
        await eventually('the upstream is told', () => fake.requests.at(-1)?.end === 'cancelled', 1_000);
        session.close();
        const [record] = await recorded(1);
        assert.deepEqual([record?.insight.outcome, record?.insight.counted.as], ['cancelled', 'turn']);
      },
      () => ({ delayMs: 30 }),
    ));
});

describe('the filter, by the rules of the seed', () => {
  const editors = { vscode: 'vscode/1.96.2', jetbrains: 'JetBrains-PC/243.22562.220', vim: 'Neovim/0.10' };
  const user = { messages: [{ role: 'user', content: 'hi' }] };
  const system = { messages: [{ role: 'system', content: 'hi' }] };

  /** Sends each, then one that counts; stops the proxy and returns what was counted of the chats before it. */
  async function countChats(proxy: ProxyProcess, chats: readonly (readonly [keyof typeof editors, object])[]) {
    const session = await openSession(proxy, 'alice', API_HOST);
    for (const [editor, body] of [...chats, ['vim', user] as const]) {
      const headers = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': editors[editor] };
      const { status, body: answer } = await ask(session, headers, JSON.stringify({ stream: true, ...body }));
      assert.equal(status, 200);
      assert.match(answer, /\[DONE\]/);
    }
    session.close();
    // Records are written side by side; those of all flows are there once the proxy has stopped.
    await proxy.stop({ keep: true });
    return [...proxy.records().keys()].filter((file) => /^alice.chat/.test(file)).length - 1;
  }

  const BY_SEED = `export default {
    addons: ['addons/auth.ts', 'addons/filter.ts', 'addons/usage.ts'],
    options: { auth: { users: ['alice'] }, filter: { rules: 'seed' } },
  };`;

  it('skips background chats of VS Code and JetBrains, and counts those of their users', () =>
    withProxy(
      async (proxy) => {
        const counted = await countChats(proxy, [
          ['vscode', { ...user, stop: [';'] }],
          ['jetbrains', system],
          ['jetbrains', { ...user, tools: [] }],
          ['vscode', { ...system, tools: [] }],
          ['jetbrains', { ...user, stop: [';'] }],
          ['vim', { ...system, stop: [';'], tools: [] }],
        ]);
        assert.equal(counted, 3);
      },
      undefined,
      BY_SEED,
    ));

  it('counts them all when its rules are switched off', () =>
    withProxy(
      async (proxy) => {
        const counted = await countChats(proxy, [
          ['vscode', { ...user, stop: [';'] }],
          ['jetbrains', system],
        ]);
        assert.equal(counted, 2);
      },
      undefined,
      `export default {
        addons: ['addons/auth.ts', 'addons/filter.ts', 'addons/usage.ts'],
        options: { auth: { users: ['alice'] }, filter: { rules: 'seed', conditionalJudgment: false } },
      };`,
    ));

  it('skips completions with no text in any choice, and lets them pass', () =>
    withProxy(
      async (proxy) => {
        const session = await openSession(proxy, 'alice', PROXY_HOST);
        const headers = { ':method': 'POST', ':path': COMPLETIONS_PATH, 'editor-version': editors.vscode };
        const empty = await ask(session, headers, completionRequest('empty'));
        assert.match(empty.body, /\[DONE\]/);
        await ask(session, { ...headers, ':path': '/v1/engines/copilot-codex/completions' }, completionRequest('full'));
        session.close();
        await proxy.stop({ keep: true });
        const [[counted, record], [other, metadata]] = [...proxy.records()] as [[string, object], [string, object]];
        assert.match(counted, /^alice.completions/);
        assert.match(JSON.stringify(record), /full/);
        assert.match(other, /^alice.other/);
        assert.match(JSON.stringify(metadata), /"as":"nothing"/);
      },
      ({ body }) => (body.includes('empty') ? { pieces: [''] } : {}),
    ));
});

describe('the metrics file', () => {
  it('has the keys of the seed in their order, and all else beside them', () =>
    withProxy(async (proxy) => {
      for (const name of [GHOST, CHAT_TURN]) await send(proxy, 'alice', name);
      const day = await proxy.metrics((each) => each.total_chat_turns === 1 && each.total_completions_count === 1);
      assert.deepEqual(Object.keys(day), ['day', 'total_chat_turns', 'total_completions_count', 'usage', 'insight']);
      assert.equal(day.day, new Date().toISOString().slice(0, 10));
      const { alice, ...others } = day.usage;
      assert.deepEqual(others, {});
      assert.deepEqual(Object.keys(alice ?? {}), ['chat_turns', 'completions_count', 'chat', 'completions', 'insight']);
      const { insight, ...seed } = alice as NonNullable<typeof alice>;
      assert.deepEqual(seed, {
        chat_turns: 1,
        completions_count: 1,
        chat: { 'Harness-1.0.0': 1 },
        completions: { 'Harness-1.0.0': { python: 1 } },
      });
      assert.deepEqual(insight.counted, { completion: 1, turn: 1 });
    }));

  it('goes on counting after a restart', async () => {
    const fake = await startFakeCopilot();
    const first = await ProxyProcess.start({ upstream: fake });
    await send(first, 'alice', GHOST);
    await first.recorded(1);
    await first.stop({ keep: true });
    const second = await ProxyProcess.start({ upstream: fake, folder: first.folder });
    await send(second, 'alice', GHOST);
    await second.metrics((day) => day.total_completions_count === 2);
    await second.stop();
    await fake.close();
  });
});
