import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Refusals } from '../../../core/engine/refusals.ts';

describe('a client that refuses a certificate', () => {
  const alice = { id: '1', address: '10.0.0.1', port: 1, user: 'alice', groups: [] };
  const bob = { id: '2', address: '10.0.0.2', port: 1, user: 'bob', groups: [] };

  it('is news once for each client and host', () => {
    const refusals = new Refusals();
    assert.ok(refusals.add(alice, 'a.com', 0));
    assert.ok(!refusals.add({ ...alice, id: '3', port: 2 }, 'a.com', 0));
    assert.ok(refusals.add(alice, 'b.com', 0));
    assert.ok(refusals.add(bob, 'a.com', 0));
  });

  it('is left alone with that host, and nobody else is', () => {
    const refusals = new Refusals();
    refusals.add(alice, 'a.com', 600_000);
    refusals.add(bob, 'a.com', 0);
    assert.ok(refusals.isLeftAlone(alice, 'a.com'));
    assert.ok(!refusals.isLeftAlone(alice, 'b.com'));
    assert.ok(!refusals.isLeftAlone(bob, 'a.com'));
  });
});
