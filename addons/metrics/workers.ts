/**
 * Metrics of several workers. Each has a journal of its own for what it counts; the first one has the file of the day as
 * well, and adds to it what the others tell. They tell what is in their journals already: what it has not heard, since
 * it was not there, it reads.
 */
import type { Worker } from 'insight-dump';
import type { OpenDay } from './context.ts';
import { add, type Use } from './day.ts';

/** What a worker has in its journal of a day. */
export interface Told {
  readonly date: string;
  readonly number: number;
  /** What it has just added. */
  readonly lines: readonly { readonly n: number; readonly use: Use }[];
  /** The number of the last line. */
  readonly last: number;
}

/** Whether this worker writes the files of days. */
export function hasFiles({ number }: Worker): boolean {
  return number === 1;
}

/** Whether what such a worker has recorded, and not counted, is this one's to count: its own, or that of one too many. */
export function isInCareOf({ number, count }: Worker, recorder: number): boolean {
  return recorder === number || (number === 1 && recorder > count);
}

/** Adds what others have told to the counts of a day. Returns whether it was all that they have in their journals. */
export function absorbTold({ told, others, counts }: OpenDay): boolean {
  if (counts === undefined) return false;
  let isAll = true;
  for (const { number, lines, last } of told.splice(0)) {
    for (const { n, use } of lines)
      if (n === (others.get(number) ?? 0) + 1) {
        add(counts, use);
        others.set(number, n);
      }
    isAll &&= last <= (others.get(number) ?? 0);
  }
  return isAll;
}
