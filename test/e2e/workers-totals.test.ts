import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { journalDates, journalWorkers } from '../../addons/metrics/journal.ts';
import { readRecordName } from '../../core/copilot/record-files.ts';
import { ask, openSession } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { type MetricsDay, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, COMPLETIONS_PATH, chatRequest, completionRequest, PROXY_HOST } from '../requests.ts';
import { startWorkers } from '../workers.ts';

const post = (path: string, editor: string, more = {}) => ({
  ...{ ':method': 'POST', ':path': path, 'editor-version': editor },
  ...more,
});

const WHO = ['alice', 'bob'].flatMap((user) =>
  ['vscode/1.96.2', 'JetBrains-PC/243.1'].map((editor) => ({ user, editor })),
);
const QUESTIONS = 2;
const TURNS = WHO.length * QUESTIONS;

/** The same traffic each time, on connections that all workers have to do with. */
async function traffic(proxy: ProxyProcess): Promise<void> {
  const once = async (user: string, host: string, headers: ReturnType<typeof post>, body: string) => {
    const session = await openSession(proxy, user, host);
    await ask(session, headers, body);
    session.close();
  };
  const question = ({ user, editor }: (typeof WHO)[0], i: number) => {
    const headers = post('/chat/completions', editor, { 'x-interaction-id': `${editor} ${i}` });
    return once(user, API_HOST, headers, chatRequest('a question'));
  };
  for (let i = 0; i < QUESTIONS; i++) {
    await Promise.all(WHO.map((who) => question(who, i)));
    await Promise.all(
      WHO.map(({ user, editor }) =>
        once(user, PROXY_HOST, post(COMPLETIONS_PATH, editor), completionRequest('a prompt')),
      ),
    );
  }
  await proxy.recorded(2 * TURNS);
  // More of the same questions are steps, whichever worker has met them.
  for (let i = 0; i < QUESTIONS; i++) for (const who of [...WHO].reverse()) await question(who, i);
}

function seedOf({ usage, ...day }: MetricsDay): string {
  const { insight: _insight, ...keys } = day;
  const users = Object.entries(usage).map(([user, { insight, ...seed }]) => [user, seed, insight.counted]);
  return JSON.stringify([keys, users], null, 2);
}

/** What is in the file once the proxy has stopped. */
async function dayOf(proxy: ProxyProcess): Promise<MetricsDay> {
  assert.equal(await proxy.stop({ keep: true }), 0);
  return proxy.metricsNow() as MetricsDay;
}

describe('two workers', () => {
  let fake: FakeCopilot;
  before(async () => {
    fake = await startFakeCopilot();
  });
  after(() => fake.close());

  it('count the same traffic as one process does, and both count', async (t) => {
    const alone = await ProxyProcess.start({ upstream: fake });
    t.after(() => alone.stop());
    await traffic(alone);
    const several = await startWorkers(2, { upstream: fake });
    t.after(() => several.stop());
    await traffic(several);
    const [one, two] = [await dayOf(alone), await dayOf(several)];
    assert.deepEqual([one.total_chat_turns, one.total_completions_count], [TURNS, TURNS]);
    assert.equal(one.usage.alice?.insight.counted.step, TURNS / 2);
    assert.equal(seedOf(two), seedOf(one));
    const [date = ''] = await journalDates(several.path('logs/metrics'));
    assert.deepEqual(await journalWorkers(several.path('logs/metrics'), date), [1, 2]);
    assert.equal(several.records().size, alone.records().size);
    assert.deepEqual(
      new Set([...several.records().values()].map(({ insight }) => insight.worker)),
      new Set([undefined, 2]),
    );
  });

  it('have lines of records that are whole, each in files of its own', async (t) => {
    const args = ['--set', 'usage.format=ndjson', '--set', 'usage.maxFileMiB=0.001'];
    const proxy = await startWorkers(2, { upstream: fake, args });
    t.after(() => proxy.stop());
    const sessions = await Promise.all(Array.from({ length: 4 }, () => openSession(proxy, 'alice', API_HOST)));
    const headers = post('/chat/completions', 'vscode/1');
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => ask(sessions[i % 4] as (typeof sessions)[0], headers, chatRequest(`${i}`))),
    );
    for (const session of sessions) session.close();
    assert.equal((await dayOf(proxy)).total_chat_turns, 40);
    const folder = proxy.path('logs/usage/alice/chat');
    const parts: number[] = [];
    for (const name of readdirSync(folder)) {
      const { part } = readRecordName(name) ?? assert.fail(name);
      parts.push(part);
      for (const line of readFileSync(`${folder}/${name}`, 'utf8').trim().split('\n'))
        assert.equal(JSON.parse(line).insight.worker ?? 1, (part % 2) + 1);
    }
    assert.ok(parts.some((part) => part % 2 === 1) && parts.length > 2, `${parts}`);
  });
});
