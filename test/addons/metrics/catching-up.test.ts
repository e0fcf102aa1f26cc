import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Use, useOf } from '../../../addons/metrics/day.ts';
import { appendJournal, journalFile } from '../../../addons/metrics/journal.ts';
import { rebuild } from '../../../addons/metrics/rebuild.ts';
import metrics from '../../../addons/metrics.ts';
import usage from '../../../addons/usage.ts';
import type { Addon } from '../../../core/addon.ts';
import { AddonTest } from '../../kit/addon-test.ts';
import { makeFlow } from '../../kit.ts';
import { eventually, type MetricsDay, makeFolder } from '../../proxy-process.ts';
import { insight } from './insights.ts';

const TODAY = new Date().toISOString().slice(0, 10);
const ADDONS: Readonly<Record<string, Addon>> = { usage: usage as Addon, metrics: metrics as Addon };

describe('at a start, metrics', () => {
  let logs: string;
  let folder: string;
  beforeEach(() => {
    logs = makeFolder();
    folder = path.join(logs, 'metrics');
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const begin = (...names: readonly string[]) =>
    new AddonTest({ logs }).begin(names.map((name) => ({ name, addon: ADDONS[name] as Addon })));
  const chat = (addons: AddonTest) =>
    addons.run(
      makeFlow({
        url: 'https://api.githubcopilot.com/chat/completions',
        method: 'POST',
        response: { body: '{"choices":[{"index":0,"text":"x","finish_reason":"stop"}]}' },
      }),
    );
  /** Runs these addons for so many chats. */
  const life = async (names: readonly string[], chats: number) => {
    const addons = await begin(...names);
    for (let i = 0; i < chats; i++) await chat(addons);
    await addons.stop();
  };
  const turns = (date = TODAY): number | undefined => {
    const file = path.join(folder, `copilot-usage_${date}.json`);
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as MetricsDay).total_chat_turns : undefined;
  };
  /** Starts and waits for so many turns, and for what might come behind them. */
  const startsWith = async (expected: number) => {
    const addons = await begin('usage', 'metrics');
    await eventually(
      () => `${expected} turns; there are ${turns()}`,
      () => turns() === expected,
    );
    await chat(addons);
    await addons.stop();
    assert.equal(turns(), expected + 1);
  };

  it('count what was recorded and not counted, once', async () => {
    await life(['usage', 'metrics'], 2);
    // As if it was killed behind the records.
    await life(['usage'], 3);
    await startsWith(5);
    await startsWith(6);
  });

  it('count it when nothing was ever counted before', async () => {
    await life(['usage'], 3);
    await startsWith(3);
  });

  it('count what comes next without delay, however long it took to read the journal', async () => {
    const use = useOf(insight({ endMs: Date.now() })) as Use;
    const many = 30_000;
    await appendJournal(
      journalFile(folder, TODAY),
      Array.from({ length: many }, (_, i) => ({ n: i + 1, use: { ...use, id: String(i) } })),
    );
    const beganMs = performance.now();
    const addons = await begin('usage', 'metrics');
    const countsUpTo = (expected: number) =>
      eventually(
        () => `${expected} turns; there are ${turns()}`,
        () => turns() === expected,
      );
    await chat(addons);
    await countsUpTo(many + 1);
    const readMs = performance.now() - beganMs;
    await chat(addons);
    const askedMs = performance.now();
    await countsUpTo(many + 2);
    const countedMs = performance.now() - askedMs;
    await addons.stop();
    assert.ok(countedMs < 3 * readMs, `counted after ${countedMs} ms; reading took ${readMs} ms`);
  });

  it('leave a day alone that has a file and no journal: nobody knows what is in it', async () => {
    await life(['usage'], 3);
    mkdirSync(folder);
    const text = readFileSync(path.join(import.meta.dirname, '../../fixtures/seed/metrics-day.json'), 'utf8');
    writeFileSync(path.join(folder, `copilot-usage_${TODAY}.json`), text);
    await startsWith(13);
  });

  it('do not count again what the file was rebuilt with', async () => {
    await life(['usage', 'metrics'], 2);
    await life(['usage'], 3);
    await rebuild(logs, TODAY, 'UTC');
    assert.equal(turns(), 5);
    await startsWith(5);
  });

  it('bring the files of days up to their journals, and remove the journals of days long past', async () => {
    const date = '2020-01-31';
    const uses = ['one', 'two'].map((id) => useOf(insight({ id, endMs: Date.parse(date) })) as Use);
    await appendJournal(
      journalFile(folder, date),
      uses.map((use, i) => ({ n: i + 1, use })),
    );
    await life(['metrics'], 0);
    assert.equal(turns(date), 2);
    await life(['metrics'], 0);
    assert.equal(turns(date), 2);
    await life(['metrics'], 1);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('journal_')),
      [`journal_${TODAY}.ndjson`],
    );
    assert.equal(turns(date), 2);
  });

  it('go on without what earlier runs left when that cannot be read, and say so', async () => {
    writeFileSync(folder, 'no folder');
    const addons = await begin('metrics');
    await eventually('a word', () =>
      addons.log.of('error').some((each) => /an earlier run has not counted/.test(each)),
    );
    rmSync(folder);
    await chat(addons);
    await addons.stop();
    assert.equal(turns(), 1);
  });
});
