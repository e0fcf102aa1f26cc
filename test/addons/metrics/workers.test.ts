import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readDay } from '../../../addons/metrics/day-file.ts';
import { rebuild } from '../../../addons/metrics/rebuild.ts';
import metrics from '../../../addons/metrics.ts';
import usage from '../../../addons/usage.ts';
import type { Addon } from '../../../core/addon.ts';
import { AddonWorkers } from '../../addon-workers.ts';
import type { AddonTest } from '../../kit/addon-test.ts';
import { makeFlow } from '../../kit.ts';
import { eventually, type MetricsDay, makeFolder } from '../../proxy-process.ts';

const TODAY = new Date().toISOString().slice(0, 10);

describe('metrics of several workers', () => {
  let logs: string;
  let folder: string;
  beforeEach(() => {
    logs = makeFolder();
    folder = path.join(logs, 'metrics');
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const workers = (...addons: readonly unknown[]) =>
    new AddonWorkers((addons.length > 0 ? addons : [usage, metrics]) as Addon[], { logs });
  const chat = (worker: AddonTest, user = 'alice') =>
    worker.run(
      makeFlow({
        url: 'https://api.githubcopilot.com/chat/completions',
        method: 'POST',
        user,
        response: { body: '{"choices":[{"index":0,"text":"x","finish_reason":"stop"}]}' },
      }),
    );
  const text = () => readFileSync(path.join(folder, `copilot-usage_${TODAY}.json`), 'utf8');
  const turns = () => {
    try {
      return (JSON.parse(text()) as MetricsDay).total_chat_turns;
    } catch {
      return 0;
    }
  };
  const counts = (expected: number) =>
    eventually(
      () => `${expected} turns; there are ${turns()}`,
      () => turns() === expected,
    );
  /** So many workers begin, have a chat each, and end. */
  const life = async (count: number) => {
    const all = workers();
    for (let number = 1; number <= count; number++) await chat(await all.begin(number, count));
    await all.end();
  };

  it('are in one file, as soon as those of one', async () => {
    const all = workers();
    const [one, two, three] = [await all.begin(1, 3), await all.begin(2, 3), await all.begin(3, 3)];
    await Promise.all([chat(one), chat(two, 'bob'), chat(two), chat(three)]);
    await counts(4);
    await chat(three);
    await counts(5);
    await all.end();
    const { usage, insight } = JSON.parse(text()) as MetricsDay;
    assert.deepEqual([usage.alice?.chat_turns, usage.bob?.chat_turns], [4, 1]);
    assert.equal(insight.journal, 1);
  });

  it('add up from run to run, with however many workers', async () => {
    for (const [count, sum] of [
      [1, 1],
      [3, 4],
      [2, 6],
      [1, 7],
      [2, 9],
    ] as const) {
      await life(count);
      assert.equal(turns(), sum);
    }
  });

  it('are counted of a worker that the first one has not heard', async () => {
    const all = workers();
    const [one, two] = [await all.begin(1, 2), await all.begin(2, 2)];
    await chat(one);
    // It reads the journals of all as it begins with a day.
    await counts(1);
    all.deaf.add(1);
    await chat(two);
    await eventually('a journal', () => existsSync(path.join(folder, `journal_${TODAY}.2.ndjson`)));
    await counts(1);
    all.deaf.delete(1);
    await chat(two);
    await counts(3);
    all.deaf.add(1);
    await chat(two);
    await all.end();
    assert.equal(turns(), 3);
    const again = workers();
    await again.begin(1, 2);
    await counts(4);
    await again.end();
  });

  it('are told by a worker that begins, of what the one before it has not told', async () => {
    const all = workers();
    await all.begin(1, 2);
    all.deaf.add(1);
    await chat(await all.begin(2, 2));
    await eventually('a journal', () => existsSync(path.join(folder, `journal_${TODAY}.2.ndjson`)));
    all.deaf.delete(1);
    await all.begin(2, 2);
    await counts(1);
    await all.end();
  });

  it('have once what a worker has recorded and not counted', async () => {
    const dying = workers(usage);
    await chat(await dying.begin(2, 2));
    await chat(await dying.begin(3, 3));
    await chat(await dying.begin(1, 2));
    await dying.end();
    const all = workers();
    await all.begin(1, 2);
    // Its own, and that of one too many.
    await counts(2);
    const two = await all.begin(2, 2);
    await counts(3);
    await chat(two);
    await counts(4);
    await all.end();
    await life(1);
    assert.equal(turns(), 5);
  });

  it('are counted again from the records, to the same byte', async () => {
    await life(3);
    await life(2);
    const counted = text();
    await rebuild(logs, TODAY, 'UTC');
    assert.equal(text(), counted);
    await life(2);
    assert.equal(turns(), 7);
    assert.equal((await readDay(folder, TODAY, assert.fail)).isAhead, false);
  });

  it('have each record in a file of its own', async () => {
    const all = workers();
    const both = [await all.begin(1, 2), await all.begin(2, 2)];
    await Promise.all(Array.from({ length: 100 }, (_, i) => chat(both[i % 2] as AddonTest)));
    await counts(100);
    await all.end();
    assert.equal(readdirSync(path.join(logs, 'usage/alice/chat')).length, 100);
  });
});
