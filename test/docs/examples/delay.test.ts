import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeFlow } from '../../kit.ts';
import { startExample } from '../example.ts';

/** Timers may fire a little before their time, by the other clock. */
const TIMER_SLACK_MS = 5;

async function msOf(work: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work;
  return performance.now() - began;
}

describe('delay', () => {
  it('holds a request back for so long', async (t) => {
    const example = await startExample(t, 'delay', { ms: 150 });
    assert.ok((await msOf(example.run(makeFlow()))) >= 150 - TIMER_SLACK_MS);
  });

  it('holds requests back side by side, not one after the other', async (t) => {
    const example = await startExample(t, 'delay', { ms: 300 });
    const runs = Array.from({ length: 5 }, () => example.run(makeFlow()));
    assert.ok((await msOf(Promise.all(runs))) < 5 * 300);
  });

  it('passes requests and answers on as they are', async (t) => {
    const example = await startExample(t, 'delay', { ms: 1 });
    const { sent, received } = await example.run(makeFlow({ body: 'in', response: { body: 'out' } }));
    assert.deepEqual([sent?.body, received?.body], ['in', 'out']);
  });

  it('takes over a changed time', async (t) => {
    const example = await startExample(t, 'delay', { ms: 9_000 });
    await example.configure({ ms: 0 });
    assert.ok((await msOf(example.run(makeFlow()))) < 4_000);
  });

  it('lets requests go at once when it ends, and says nothing of it', async (t) => {
    const example = await startExample(t, 'delay', { ms: 9_000 }, { limits: { drainMs: 10 } });
    const run = example.run(makeFlow({ response: { body: 'out' } }));
    const took = msOf(run);
    await example.stop();
    assert.ok((await took) < 4_000);
    assert.equal((await run).received?.body, 'out');
    assert.deepEqual(example.log.of('warn', 'error'), []);
  });

  for (const ms of [-1, 10_000, Number.POSITIVE_INFINITY]) {
    it(`refuses ${ms} ms: a hook must not take that long`, async (t) => {
      await assert.rejects(startExample(t, 'delay', { ms }), { code: 'optionsInvalid', message: /^delay: ms: / });
    });
  }
});
