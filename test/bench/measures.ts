/** What is measured, and how it is written. */
export interface Measure {
  readonly title: string;
  readonly digits: number;
}

export const MEASURES = {
  perSecond: { title: 'per second', digits: 0 },
  mibPerSecond: { title: 'MiB/s', digits: 0 },
  cpuMs: { title: 'CPU ms each', digits: 3 },
  p50Ms: { title: 'p50 ms', digits: 2 },
  p99Ms: { title: 'p99 ms', digits: 2 },
  firstByteMs: { title: 'first byte ms', digits: 2 },
  lagP50Ms: { title: 'lag p50 ms', digits: 2 },
  lagP99Ms: { title: 'lag p99 ms', digits: 2 },
  liveP50Ms: { title: 'live p50 ms', digits: 0 },
  liveP95Ms: { title: 'live p95 ms', digits: 0 },
  openS: { title: 'all open after s', digits: 1 },
  startMs: { title: 'start ms', digits: 0 },
  loopDelayP99Ms: { title: 'loop delay p99 ms', digits: 1 },
  rssMiB: { title: 'RSS MiB', digits: 0 },
  peakMiB: { title: 'most RSS MiB', digits: 0 },
  grownMiB: { title: 'RSS grown MiB', digits: 1 },
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof MEASURES;

/** One measurement of one contestant. */
export type Sample = Partial<Record<MeasureName, number>>;
