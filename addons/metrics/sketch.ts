/**
 * Percentiles of times, from counts that can be added up: DDSketch (Masson, Rim and Lee, "DDSketch: a fast and
 * fully-mergeable quantile sketch with relative-error guarantees", PVLDB 12 (12), 2019).
 *
 * A time falls into the bucket of the power of `GAMMA` that is next above it, which says it to within 1 %. Buckets hold
 * whole numbers, and times beyond the bounds fall into the outermost ones instead of being collapsed. So sketches are
 * equal in whatever order and grouping they were added up, and have at most {@link MAX_BUCKETS} buckets.
 */
import { sum } from './sum.ts';

/** How many times there were, by bucket. */
export type Sketch = Map<number, number>;

export const RELATIVE_ERROR = 0.01;
const GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);

/** Times below and above are taken for these. */
export const MIN_MS = 1;
export const MAX_MS = 86_400_000;
export const MAX_BUCKETS = bucketOf(MAX_MS) + 1;

export function addTime(sketch: Sketch, ms: number): void {
  if (!Number.isNaN(ms)) addToBucket(sketch, bucketOf(ms), 1);
}

export function addToBucket(sketch: Sketch, bucket: number, count: number): void {
  sketch.set(bucket, sum(sketch.get(bucket) ?? 0, count));
}

export function absorbSketch(into: Sketch, from: Sketch): void {
  for (const [bucket, count] of from) addToBucket(into, bucket, count);
}

/** The time that this part of all times, from 0 to 1, is not above; undefined if there are none. */
export function quantile(sketch: Sketch, part: number): number | undefined {
  const buckets = [...sketch].sort(([one], [other]) => one - other);
  let left = Math.floor(part * (buckets.reduce((total, [, count]) => total + count, 0) - 1));
  for (const [bucket, count] of buckets) {
    left -= count;
    if (left < 0) return (2 * GAMMA ** bucket) / (GAMMA + 1);
  }
  return undefined;
}

function bucketOf(ms: number): number {
  return Math.ceil(Math.log(Math.min(Math.max(ms, MIN_MS), MAX_MS)) / LOG_GAMMA);
}
