import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { readDay } from '../../addons/metrics/day-file.ts';
import { idIn, journalDates, journalFile, journalWorkers, readJournal } from '../../addons/metrics/journal.ts';
import { readRecordName } from '../../core/copilot/record-files.ts';
import { ask, openSession } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, type MetricsDay, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, COMPLETIONS_PATH, chatRequest, completionRequest, PROXY_HOST } from '../requests.ts';
import { startWorkers, workerPids } from '../workers.ts';

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

  it('lose nothing that was counted, and count nothing twice, when they are killed in the middle of it', async (t) => {
    const proxy = await startWorkers(2, { upstream: fake });
    t.after(() => proxy.stop());
    let isOver = false;
    const chatting = Array.from({ length: 6 }, async () => {
      while (!isOver) {
        try {
          const session = await openSession(proxy, 'alice', API_HOST);
          const headers = post('/chat/completions', 'vscode/1');
          for (let i = 0; i < 5 && !isOver; i++)
            await Promise.race([ask(session, headers, chatRequest('q')), gone(session)]);
          session.close();
        } catch {
          // Who was connected to the one that is killed has to begin anew.
        }
      }
    });
    for (const number of [2, 1]) {
      const before = proxy.records().size;
      await eventually('some more', () => proxy.records().size > before + 10);
      const since = proxy.output.length;
      process.kill(workerPids(proxy).get(number) as number, 'SIGKILL');
      await proxy.said(new RegExp(`worker ${number} is there again`), since, 60_000);
    }
    const before = proxy.records().size;
    await eventually('they go on', () => proxy.records().size > before + 10);
    // Those of a primary that is killed end with it.
    const pids = [...workerPids(proxy).values()];
    proxy.kill('SIGKILL');
    isOver = true;
    await Promise.all(chatting);
    await eventually('the workers are gone', () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
    const recorded = [...proxy.records().values()].map(({ insight }) => insight.id);

    // One process alone counts what they have left.
    const alone = await ProxyProcess.start({ upstream: fake, folder: proxy.folder });
    const folder = alone.path('logs/metrics');
    await eventually('each that was recorded is counted', async () => {
      const ids = new Set(await journaledIds(folder));
      return recorded.every((id) => ids.has(id));
    });
    assert.equal(await alone.stop({ keep: true }), 0);
    const counted = await journaledIds(folder);
    assert.equal(new Set(counted).size, counted.length, 'none is counted twice');
    assert.equal(new Set(recorded).size, recorded.length);
    const { day, isAhead } = await readDay(folder, (alone.metricsNow() as MetricsDay).day, assert.fail);
    const cells = [...day.users.values()].flatMap((person) => [...person.cells.values()]);
    assert.equal(isAhead, false);
    assert.equal(
      cells.reduce((sum, { exchanges }) => sum + exchanges, 0),
      counted.length,
    );
    t.diagnostic(`${counted.length} counted, ${recorded.length} recorded`);
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

function gone(session: Awaited<ReturnType<typeof openSession>>): Promise<never> {
  return new Promise((_, reject) => session.once('close', () => reject(new Error('gone'))));
}

async function journaledIds(folder: string): Promise<string[]> {
  const ids: string[] = [];
  for (const date of await journalDates(folder))
    for (const worker of await journalWorkers(folder, date))
      for await (const line of readJournal(journalFile(folder, date, worker))) ids.push(idIn(line) ?? '');
  return ids.filter((id) => id !== '');
}
