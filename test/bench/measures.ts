/** What is measured, and how it is written. */
export interface Measure {
  readonly title: string;
  readonly digits: number;
}

export const MEASURES = {
  perSecond: { title: 'requests/s', digits: 0 },
  cpuMs: { title: 'CPU ms/request', digits: 3 },
  p50Ms: { title: 'p50 ms', digits: 2 },
  p99Ms: { title: 'p99 ms', digits: 2 },
  loopDelayP99Ms: { title: 'loop delay p99 ms', digits: 1 },
  rssMiB: { title: 'RSS MiB', digits: 0 },
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof MEASURES;

/** One measurement of one contestant. */
export type Sample = Partial<Record<MeasureName, number>>;
