import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { delayOf, type Failures, networkOf, noFailures, slowDown } from '../../../addons/auth/failures.ts';

/** A context that is over: nothing waits. */
const contextOf = (failures: Failures, signal = AbortSignal.abort()) => ({ state: { failures }, signal });

describe('wrong credentials', () => {
  it('are free for an editor’s twenty tries, and answered later and later after thirty, but in five seconds', () => {
    assert.deepEqual([1, 22, 30, 31, 59, 60, 150, 1e6].map(delayOf), [0, 0, 0, 1_000, 1_000, 2_000, 5_000, 5_000]);
  });

  it('are forgotten when there has been none for a minute', async () => {
    const failures = noFailures();
    failures.byNetwork.set('10.0.0.1', { count: 500, lastMs: performance.now() - 61_000, held: 0 });
    await slowDown('10.0.0.1', 0, contextOf(failures));
    assert.equal(failures.byNetwork.get('10.0.0.1')?.count, 1);
  });

  it('are counted for ten thousand addresses at most, and those of a network together', async () => {
    const failures = noFailures();
    for (let i = 0; i < 10_010; i++) await slowDown(`10.1.${i >> 8}.${i & 255}`, 0, contextOf(failures));
    assert.equal(failures.byNetwork.size, 10_000);
    for (const address of ['2001:db8::1', '2001:db8::2']) await slowDown(address, 0, contextOf(failures));
    assert.equal(failures.byNetwork.get(networkOf('2001:db8::3'))?.count, 2);
  });

  it('hold back two hundred answers in all, and each is let go', async () => {
    const failures = noFailures();
    const end = new AbortController();
    const tries = Array.from({ length: 300 }, (_, i) => {
      const address = `10.0.0.${i}`;
      failures.byNetwork.set(address, { count: 1_000, lastMs: performance.now(), held: 0 });
      return slowDown(address, performance.now(), contextOf(failures, end.signal));
    });
    assert.equal(failures.held, 200);
    end.abort();
    assert.equal((await Promise.all(tries)).filter((wasHeld) => wasHeld).length, 200);
    assert.equal(failures.held, 0);
    assert.ok([...failures.byNetwork.values()].every(({ held }) => held === 0));
  });
});
