import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { add, emptyDay, type Use, useOf, useOfAcceptance } from '../../../addons/metrics/day.ts';
import { writeDay } from '../../../addons/metrics/day-file.ts';
import { appendJournal, journalFile } from '../../../addons/metrics/journal.ts';
import { rebuild } from '../../../addons/metrics/rebuild.ts';
import metrics from '../../../addons/metrics.ts';
import type { Insight } from '../../../core/copilot/record.ts';
import { isoMicros } from '../../../core/copilot/record.ts';
import { makeFlow, testAddon } from '../../kit.ts';
import { eventually, makeFolder } from '../../proxy-process.ts';
import { insight } from './insights.ts';

const DATE = '2026-01-31';
const ANSWER = '{"choices":[{"index":0,"text":"x","finish_reason":"stop"}]}';

describe('a day that is counted again', () => {
  let logs: string;
  beforeEach(() => {
    logs = makeFolder();
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const folder = () => path.join(logs, 'metrics');
  const read = () => readFileSync(path.join(folder(), `copilot-usage_${DATE}.json`), 'utf8');
  const record = (given: Insight) => {
    const time = isoMicros(Math.round(given.endMs * 1000)).replaceAll(':', '-');
    const file = path.join(logs, 'usage', given.user, 'chat', `${time}_-_127.0.0.1_${given.id}.json`);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ insight: given }));
    return file;
  };
  const write = async (...some: readonly Insight[]) => {
    const day = emptyDay(DATE);
    for (const each of some) add(day, useOf(each) as Use);
    await writeDay(folder(), day, { timeZone: 'UTC', journal: 0 });
    return read();
  };

  it('is the same to the byte, whatever became of its file', async () => {
    const some = ['b', 'a', 'c'].map((id, i) =>
      insight({ id, user: `user ${id}`, endMs: Date.parse(DATE) + i * 1_000 }),
    );
    for (const each of some) record(each);
    const live = await write(...some);
    rmSync(folder(), { recursive: true });
    assert.deepEqual(await rebuild(logs, DATE, 'UTC'), { records: 3, skipped: 0 });
    assert.equal(read(), live);
  });

  it('has what ended on it in the time zone, and each exchange once', async () => {
    for (const [id, time] of Object.entries({
      before: '2026-01-30T22:59:59.999Z',
      first: '2026-01-30T23:00:00.000Z',
      last: '2026-01-31T22:59:59.999Z',
      after: '2026-01-31T23:00:00.000Z',
    }))
      record(insight({ id, endMs: Date.parse(time) }));
    record(insight({ id: 'last', endMs: Date.parse('2026-01-31T12:00:00Z') }));
    await rebuild(logs, DATE, 'Europe/Berlin');
    assert.equal(JSON.parse(read()).total_chat_turns, 2);
    assert.equal(JSON.parse(read()).insight.time_zone, 'Europe/Berlin');
  });

  it('keeps what editors told of completions', async () => {
    const told = { id: 'told', user: 'alice', groups: [], endMs: 0, editor: 'vscode-1', language: 'python' };
    const acceptance = useOfAcceptance({ ...told, shown: 3, accepted: 2, rejected: 1, acceptedLines: 7 });
    record(insight());
    const day = emptyDay(DATE);
    for (const use of [acceptance, useOf(insight())]) add(day, use as Use);
    await writeDay(folder(), day, { timeZone: 'UTC', journal: 0 });
    await rebuild(logs, DATE, 'UTC');
    const { alice } = JSON.parse(read()).usage;
    assert.deepEqual([alice.chat_turns, alice.insight.acceptance.accepted], [1, 2]);
  });

  it('is the same to the byte where an editor told of what a record tells, too', async () => {
    const completion = insight({ as: 'completion', kind: 'completions', editor: 'vscode-1', model: undefined });
    const told = { id: 'told', user: 'alice', groups: [], endMs: completion.endMs + 5_000, editor: 'vscode-1' };
    const acceptance = useOfAcceptance({
      ...told,
      language: 'python',
      shown: 3,
      accepted: 2,
      rejected: 1,
      acceptedLines: 7,
    });
    record(completion);
    const day = emptyDay(DATE);
    for (const use of [useOf(completion), acceptance]) add(day, use as Use);
    await writeDay(folder(), day, { timeZone: 'UTC', journal: 0 });
    const live = read();
    await rebuild(logs, DATE, 'UTC');
    assert.equal(read(), live);
  });

  it('has what is in the journal and has no record', async () => {
    const some = ['one', 'two', 'three'].map((id) => insight({ id }));
    record(some[0] as Insight);
    const live = await write(...some);
    await appendJournal(
      journalFile(folder(), DATE),
      some.map((each, i) => ({ n: i + 1, use: useOf(each) as Use })),
    );
    await writeDay(folder(), emptyDay(DATE), { timeZone: 'UTC', journal: 0 });
    assert.deepEqual(await rebuild(logs, DATE, 'UTC'), { records: 1, skipped: 0 });
    assert.equal(read().replace('"journal": 3', '"journal": 0'), live);
  });

  it('is left as it is when more was counted than is recorded', async () => {
    const live = await write(
      insight(),
      insight({ id: 'pruned' }),
      insight({ id: 'failed', outcome: 'failed', as: 'nothing' }),
    );
    const file = record(insight());
    await assert.rejects(
      rebuild(logs, DATE, 'UTC'),
      /^Error: of 3 exchanges that were counted on 2026-01-31, there are records of 1: .* move \S+copilot-usage_2026-01-31\.json away first$/,
    );
    assert.equal(read(), live);
    rmSync(file);
    await assert.rejects(rebuild(logs, DATE, 'UTC'), /^Error: there are no records/);
    record(insight());
    rmSync(folder(), { recursive: true });
    assert.deepEqual(await rebuild(logs, DATE, 'UTC'), { records: 1, skipped: 0 });
  });

  it('is left as it is, with the numbers of the seed', async () => {
    const seed = readFileSync(path.join(import.meta.dirname, '../../fixtures/seed/metrics-day.json'), 'utf8');
    mkdirSync(folder());
    writeFileSync(path.join(folder(), `copilot-usage_${DATE}.json`), seed);
    record(insight());
    await assert.rejects(
      rebuild(logs, DATE, 'UTC'),
      /exchanges that were counted on 2026-01-31, there are records of 1/,
    );
    assert.equal(read(), seed);
  });

  it('is left as it is while a proxy is counting it', async (t) => {
    const today = new Date().toISOString().slice(0, 10);
    const counting = await testAddon(metrics, { logs });
    t.after(() => counting.stop());
    const url = 'https://api.githubcopilot.com/chat/completions';
    await counting.run(makeFlow({ url, method: 'POST', response: { body: ANSWER } }));
    record(insight({ endMs: Date.now() }));
    await eventually('the count', () => existsSync(path.join(folder(), `copilot-usage_${today}.json`)));
    await assert.rejects(
      rebuild(logs, today, 'UTC'),
      /^Error: a proxy is counting \d{4}-\d\d-\d\d \(it said so \d s ago\).*: stop it first/,
    );
    record(insight());
    assert.deepEqual(await rebuild(logs, DATE, 'UTC'), { records: 1, skipped: 0 });
    await counting.stop();
    assert.deepEqual(
      readdirSync(folder()).filter((name) => name === 'counting'),
      [],
    );
    assert.equal((await rebuild(logs, today, 'UTC')).records, 1);
  });

  it('is counted again when the proxy that counted it was killed some time ago', async () => {
    await write(insight());
    record(insight());
    const presence = path.join(folder(), 'counting');
    writeFileSync(presence, `${DATE}\n`);
    await assert.rejects(rebuild(logs, DATE, 'UTC'), /a proxy is counting/);
    utimesSync(presence, new Date(), Date.now() / 1_000 - 60);
    assert.deepEqual(await rebuild(logs, DATE, 'UTC'), { records: 1, skipped: 0 });
  });

  it('is left as it is when there is no record of it', async () => {
    const live = await write(insight());
    record(insight({ endMs: Date.parse('2026-02-02T00:00:00Z') }));
    await assert.rejects(rebuild(logs, DATE, 'UTC'), /^Error: there are no records of 2026-01-31 to count/);
    assert.equal(read(), live);
  });

  it('passes over records that are damaged, and moves a damaged file aside', async () => {
    writeFileSync(record(insight({ id: 'torn' })), '{"insight":');
    record(insight());
    mkdirSync(folder());
    writeFileSync(path.join(folder(), `copilot-usage_${DATE}.json`), '{');
    assert.deepEqual(await rebuild(logs, DATE, 'UTC'), { records: 1, skipped: 1 });
    assert.equal(JSON.parse(read()).total_chat_turns, 1);
    assert.equal(readdirSync(folder()).length, 2);
  });
});
