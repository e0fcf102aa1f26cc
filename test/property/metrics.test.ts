import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { addCell, type Cells, MAX_CELLS } from '../../addons/metrics/cells.ts';
import { add, type Day, emptyDay, merge, type Use, useOf } from '../../addons/metrics/day.ts';
import { dayText, parseDay } from '../../addons/metrics/day-text.ts';
import {
  absorbSketch,
  addTime,
  MAX_BUCKETS,
  MAX_MS,
  MIN_MS,
  quantile,
  RELATIVE_ERROR,
  type Sketch,
} from '../../addons/metrics/sketch.ts';
import type { Insight } from '../../core/copilot/record.ts';
import { anyInsight, insight } from '../addons/metrics/insights.ts';

const DATE = '2026-01-31';
const FROM_MS = Date.parse(DATE);
const UNTIL_MS = FROM_MS + 86_400_000;
const insights = fc.array(anyInsight(FROM_MS, UNTIL_MS), { maxLength: 60 });

const text = (day: Day) => dayText(day, { timeZone: 'UTC', journal: 0 });

function counted(some: readonly Insight[]): Day {
  const day = emptyDay(DATE);
  for (const each of some) {
    const use = useOf(each);
    if (use !== undefined) add(day, use);
  }
  return day;
}

describe('metrics', () => {
  it('are equal in whatever order they are counted', () => {
    fc.assert(
      fc.property(
        insights.chain((some) => fc.tuple(fc.constant(some), fc.shuffledSubarray(some, { minLength: some.length }))),
        ([some, shuffled]) => assert.equal(text(counted(shuffled)), text(counted(some))),
      ),
    );
  });

  it('are equal in whatever order and grouping they are merged', () => {
    fc.assert(
      fc.property(insights, fc.array(fc.nat(4), { minLength: 60, maxLength: 60 }), fc.nat(4), (some, parts, from) => {
        const days = [0, 1, 2, 3, 4].map((part) => counted(some.filter((_, i) => parts[i] === part)));
        const turned = [...days.slice(from), ...days.slice(0, from)];
        const left = turned.reduce(merge);
        const right = turned.reduceRight((all, day) => merge(day, all));
        assert.equal(text(left), text(counted(some)));
        assert.equal(text(right), text(left));
      }),
    );
  });

  it('leave what they are merged from as it was', () => {
    fc.assert(
      fc.property(insights, insights, (some, others) => {
        const [one, other] = [counted(some), counted(others)];
        const before = [text(one), text(other)];
        add(merge(one, other), useOf(insight()) as Use);
        assert.deepEqual([text(one), text(other)], before);
      }),
    );
  });

  it('are the same when they have been written and read', () => {
    fc.assert(
      fc.property(insights, (some) => {
        const written = text(counted(some));
        assert.equal(text(parseDay(written, DATE).day), written);
      }),
    );
  });

  it('have as many cells as are allowed, in whatever order they come, and the sum of all', () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat(5_000)), (numbers) => {
        const editors = [...numbers.take(3 * MAX_CELLS)].map((number) => `editor-${number}`);
        const cells = (some: readonly string[]): Cells => {
          const all: Cells = new Map();
          for (const editor of some) addCell(all, (useOf(insight({ editor })) as Use).cell);
          return all;
        };
        const all = cells(editors);
        assert.ok(all.size <= MAX_CELLS + 1);
        assert.deepEqual(new Map([...cells(editors.toReversed())].sort()), new Map([...all].sort()));
        assert.equal(
          [...all.values()].reduce((sum, { exchanges }) => sum + exchanges, 0),
          editors.length,
        );
      }),
      { numRuns: 5 },
    );
  });
});

describe('a sketch of times', () => {
  const time = fc.oneof(fc.double({ min: MIN_MS, max: MAX_MS, noNaN: true }), fc.integer({ min: 1, max: 5_000 }));
  const times = fc.array(time, { minLength: 1, maxLength: 300 });
  const sketchOf = (some: readonly number[]) => {
    const sketch: Sketch = new Map();
    for (const each of some) addTime(sketch, each);
    return sketch;
  };

  it('says each quantile to within its relative error', () => {
    fc.assert(
      fc.property(times, fc.double({ min: 0, max: 1, noNaN: true }), (some, part) => {
        const exact = some.toSorted((a, b) => a - b)[Math.floor(part * (some.length - 1))] as number;
        const said = quantile(sketchOf(some), part) as number;
        // A little more, for what is lost in logarithms.
        assert.ok(Math.abs(said - exact) <= exact * (RELATIVE_ERROR + 1e-9), `${said} for ${exact}`);
      }),
    );
  });

  it('is the same for all times as for its parts put together', () => {
    fc.assert(
      fc.property(times, times, (some, others) => {
        const whole = sketchOf(some);
        absorbSketch(whole, sketchOf(others));
        assert.deepEqual(new Map([...whole].sort()), new Map([...sketchOf([...others, ...some])].sort()));
      }),
    );
  });

  it('has no more buckets than are allowed, whatever it is told', () => {
    const sketch: Sketch = new Map();
    for (let ms = 1e-9; ms < 1e15; ms *= 1.005) addTime(sketch, ms);
    for (const ms of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 0]) addTime(sketch, ms);
    assert.equal(sketch.size, MAX_BUCKETS);
    assert.ok([...sketch.keys()].every((bucket) => Number.isInteger(bucket) && bucket >= 0 && bucket < MAX_BUCKETS));
  });
});
