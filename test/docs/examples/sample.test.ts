import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AddonTest, type FlowParts, makeFlow } from '../../kit.ts';
import { CHAT, startCopy, startExample } from '../example.ts';

const ANSWER = '{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}';

/** Runs a chat, and says whether it counts. */
async function counts(example: AddonTest, parts: FlowParts = {}, uncounted?: string): Promise<boolean> {
  const flow = makeFlow({ url: CHAT, method: 'POST', response: { body: ANSWER }, ...parts });
  if (uncounted !== undefined) flow.metadata.uncounted = uncounted;
  const { exchange } = await example.run(flow);
  return exchange !== undefined && exchange.counted.as !== 'nothing';
}

async function countsOf(example: AddonTest, times: number): Promise<boolean[]> {
  const all: boolean[] = [];
  for (let i = 0; i < times; i++) all.push(await counts(example));
  return all;
}

describe('sample', () => {
  it('lets every n-th exchange count', async (t) => {
    const example = await startExample(t, 'sample', { every: 3 });
    assert.deepEqual(await countsOf(example, 7), [false, false, true, false, false, true, false]);
  });

  it('lets one in ten count when nothing is said', async (t) => {
    const example = await startExample(t, 'sample');
    assert.equal((await countsOf(example, 100)).filter(Boolean).length, 10);
  });

  it('lets each count with 1', async (t) => {
    const example = await startExample(t, 'sample', { every: 1 });
    assert.deepEqual(await countsOf(example, 3), [true, true, true]);
  });

  it('says why the others do not count', async (t) => {
    const example = await startExample(t, 'sample', { every: 3 });
    const { exchange } = await example.run(makeFlow({ url: CHAT, method: 'POST' }));
    assert.deepEqual(exchange?.counted, { as: 'nothing', reason: 'only one in 3 is counted' });
  });

  it('is right when many come at once', async (t) => {
    const example = await startExample(t, 'sample', { every: 4 });
    const all = await Promise.all(Array.from({ length: 100 }, () => counts(example)));
    assert.equal(all.filter(Boolean).length, 25);
  });

  it('goes on where it was after a save', async (t) => {
    const example = await startCopy(t, 'sample', { every: 3 });
    assert.deepEqual(await countsOf(example, 2), [false, false]);
    await example.saveAgain();
    assert.deepEqual(await countsOf(example, 2), [true, false]);
  });

  for (const [what, parts, uncounted] of [
    ['another addon has ruled out', {}, 'by test'],
    ['is no use of Copilot', { url: 'https://api.githubcopilot.com/models' }, undefined],
    ['was cut', { error: { by: 'upstream', code: 'ECONNRESET', message: '' } }, undefined],
    ['never got an answer', { response: undefined, error: { by: 'proxy', code: 'X', message: '' } }, undefined],
  ] as const) {
    it(`gives no place to what ${what}`, async (t) => {
      const example = await startExample(t, 'sample', { every: 2 });
      await counts(example);
      await counts(example, parts as FlowParts, uncounted);
      assert.equal(await counts(example), true);
    });
  }

  it('counts in what the client hung up on after the last word', async (t) => {
    const example = await startExample(t, 'sample', { every: 2 });
    const body = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
    await counts(example, { response: { body }, error: { by: 'client', code: 'CLIENT_CLOSED', message: '' } });
    assert.equal(await counts(example), true);
  });

  for (const every of [0, -1, 1.5, 'x']) {
    it(`refuses ${every}`, async (t) => {
      await assert.rejects(startExample(t, 'sample', { every }), { code: 'optionsInvalid' });
    });
  }
});
