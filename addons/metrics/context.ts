import { type Context, isTimeZone } from 'insight-dump';
import { z } from 'zod';
import type { Day, Use } from './day.ts';
import type { Told } from './workers.ts';

export const options = z.object({
  timeZone: z
    .string()
    .refine(isTimeZone, 'expected the name of a time zone, as in UTC or Europe/Berlin')
    .default('UTC')
    .describe('in which days begin and end, by its IANA name'),
});

export type MetricsOptions = z.infer<typeof options>;

declare module 'insight-dump' {
  interface AddonOptions {
    metrics?: z.input<typeof options>;
  }
}

/** A day that is being counted. */
export interface OpenDay {
  readonly date: string;
  /** What has been counted, if this worker has the files; undefined until they have been read. */
  counts: Day | undefined;
  /** Lines in this worker's journal. */
  journal: number;
  /** Lines of other workers' journals that are in the counts, by worker. */
  others: Map<number, number>;
  /** What other workers have told, and is not in the counts yet. */
  readonly told: Told[];
  /** What is not in the journal yet, nor in the counts. */
  readonly backlog: Use[];
  /** The file does not say it all. */
  dirty: boolean;
  writing: Promise<void> | undefined;
}

export interface State {
  /** When counting began, in milliseconds since the epoch: what ended before, an earlier run may have counted. */
  readonly sinceMs: number;
  /** By date. They are few: yesterday's goes when it is written. */
  readonly days: Map<string, OpenDay>;
  /** Over when the journals of earlier runs have been read; nothing is added to them before. */
  earlier: Promise<unknown> | undefined;
  /** Over when what an earlier run left has been looked through, or when that has failed. */
  catchingUp: Promise<void> | undefined;
  /** It has been, to the end. */
  isCaughtUp: boolean;
  /** Over when days are looked after no more. */
  lookingAfter: Promise<void> | undefined;
  failing: boolean;
}

export function firstState(): State {
  return {
    sinceMs: Date.now(),
    days: new Map(),
    earlier: undefined,
    catchingUp: undefined,
    lookingAfter: undefined,
    isCaughtUp: false,
    failing: false,
  };
}

export type MetricsContext = Context<MetricsOptions, State>;
