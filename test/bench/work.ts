import type { Entrant, ServerAddress } from './contestant.ts';
import type { MeasureName, Sample } from './measures.ts';

/** One thing that all contestants do. */
export interface Work {
  readonly name: string;
  readonly title: string;
  readonly measures: readonly MeasureName[];
  /** Does it once, and measures. In the first rounds, it is done without anybody looking at the figures. */
  run(entrant: Entrant, context: WorkContext): Promise<Sample>;
}

export interface WorkContext {
  readonly server: ServerAddress;
  /** For how long, where that is to be chosen. */
  readonly seconds: number;
  /** Around the part that is to be measured; `undefined` for processes that tell nothing. */
  readonly loopDelay: LoopDelay | undefined;
}

/** The event loop of a contestant. */
export interface LoopDelay {
  /** How late it was since the last time, 99th percentile, in ms. */
  sinceLast(): Promise<number>;
}
