import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Turns } from '../../../addons/auth/turns.ts';

const drain = (turns: Turns<string>) => Array.from({ length: turns.size() }, () => turns.take());

describe('turns', () => {
  it('go round among addresses, and among users at each', () => {
    const turns = new Turns<string>();
    for (const item of ['a1', 'a2', 'a3', 'a4']) turns.put(['A', 'x'], item);
    turns.put(['A', 'y'], 'a5');
    turns.put(['B', 'x'], 'b1');
    turns.put(['B', 'x'], 'b2');
    assert.deepEqual([turns.size(), turns.size('A'), turns.size('B'), turns.size('C')], [7, 5, 2, 0]);
    assert.deepEqual(drain(turns), ['a1', 'b1', 'a5', 'b2', 'a2', 'a3', 'a4']);
    assert.equal(turns.take(), undefined);
  });

  it('come to those who are new before those who have just had theirs', () => {
    const turns = new Turns<string>();
    for (const item of ['a1', 'a2', 'a3']) turns.put(['A'], item);
    assert.equal(turns.take(), 'a1');
    turns.put(['B'], 'b1');
    assert.deepEqual(drain(turns), ['a2', 'b1', 'a3']);
    turns.put(['A'], 'a4');
    assert.deepEqual(drain(turns), ['a4']);
  });
});
