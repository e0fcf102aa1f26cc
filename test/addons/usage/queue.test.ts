import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { emptyQueue, type Item, put, retry, settle, take, waiting } from '../../../addons/usage/queue.ts';

const item = (name: string, bytes = 10): Item => ({
  folder: 'usage/alice/chat',
  name,
  format: 'json',
  bytes: new Uint8Array(bytes),
  said: '',
  level: 'info',
});
const names = (items: readonly Item[]) => items.map(({ name }) => name).join('');
const LIMITS = { maxItems: 3, maxBytes: 100 };

describe('the queue of records', () => {
  it('gives them in order, those that failed before newer ones', () => {
    const queue = emptyQueue();
    for (const name of 'ab') put(queue, item(name), LIMITS);
    const batch = take(queue);
    settle(queue, batch, false);
    put(queue, item('c'), LIMITS);
    retry(queue);
    assert.equal(names(take(queue)), 'abc');
  });

  it('loses the newest when too many wait, those under way included, and counts it', () => {
    const queue = emptyQueue();
    for (const name of 'ab') put(queue, item(name), LIMITS);
    const batch = take(queue);
    for (const name of 'cde') put(queue, item(name), LIMITS);
    assert.deepEqual([names(queue.fresh), queue.dropped, waiting(queue)], ['c', 2, 3]);
    settle(queue, batch, true);
    put(queue, item('f'), LIMITS);
    assert.deepEqual([names(queue.fresh), queue.bytes], ['cf', 20]);
  });

  it('loses the oldest of those that could not be written instead, if there are any', () => {
    const queue = emptyQueue();
    for (const name of 'abc') put(queue, item(name), LIMITS);
    settle(queue, take(queue), false);
    for (const name of 'de') put(queue, item(name), LIMITS);
    assert.deepEqual([names(queue.failed), names(queue.fresh), queue.dropped], ['c', 'de', 2]);
  });

  it('holds no more bytes than it may, and loses nothing for one that could never be in it', () => {
    const queue = emptyQueue();
    put(queue, item('a', 60), LIMITS);
    put(queue, item('b', 41), LIMITS);
    put(queue, item('c', 40), LIMITS);
    settle(queue, take(queue), false);
    put(queue, item('d', 101), LIMITS);
    assert.deepEqual([names(queue.failed), queue.bytes, queue.dropped], ['ac', 100, 2]);
  });

  it('gives batches that are bounded, and the largest record by itself', () => {
    const queue = emptyQueue();
    const limits = { maxItems: 10_000, maxBytes: 1e9 };
    for (let i = 0; i < 300; i++) put(queue, item('x'), limits);
    assert.equal(take(queue).length, 256);
    take(queue);
    for (const bytes of [20e6, 5e6, 5e6]) put(queue, item('y', bytes), limits);
    assert.deepEqual(
      [take(queue), take(queue), take(queue)].map(({ length }) => length),
      [1, 1, 1],
    );
  });
});
