import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { quantile, spreadOf } from './spread.ts';

describe('the spread of values', () => {
  it('has the median and both quartiles, in whatever order the values are', () => {
    assert.deepEqual(spreadOf([5, 1, 4, 2, 3]), { median: 3, low: 2, high: 4 });
  });

  it('lies between values in proportion', () => {
    assert.deepEqual(spreadOf([10, 20]), { median: 15, low: 12.5, high: 17.5 });
    assert.equal(quantile([0, 100], 0.99), 99);
  });

  it('is a point where there is one value', () => {
    assert.deepEqual(spreadOf([7]), { median: 7, low: 7, high: 7 });
  });

  it('orders values as numbers', () => {
    assert.equal(quantile([9, 10, 100], 0.5), 10);
  });

  it('is refused where there are no values', () => {
    assert.throws(() => spreadOf([]), RangeError);
  });
});
