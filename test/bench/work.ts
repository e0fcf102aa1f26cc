import type { Contestant, ServerAddress } from './contestant.ts';
import type { MeasureName, Sample } from './measures.ts';
import type { Member } from './team.ts';

/** One thing that contestants do, and what is measured of it. */
export interface Work {
  readonly name: string;
  readonly title: string;
  readonly measures: readonly MeasureName[];
  /** Each time, the contestant is started for it: what it did before would show. There is no probe in its process. */
  readonly isFresh?: true;
  /** How many times at most, for what takes long. */
  readonly maxRounds?: number;
  run(member: Member, context: WorkContext): Promise<Sample>;
}

/** For how long something is done, where that is to be chosen. */
export interface Span {
  readonly seconds: number;
  /** It takes longer where it takes longer to do so many; within bounds. */
  readonly requests: number;
}

export interface WorkContext extends Span {
  readonly server: ServerAddress;
}

/** Works that the same contestants do. */
export interface Scene {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly contestants: readonly Contestant[];
  readonly works: readonly Work[];
  /** What is told as a multiple of another contestant's. */
  readonly ratios: readonly Ratio[];
}

export interface Ratio {
  readonly measure: MeasureName;
  /** The name of the other. */
  readonly to: string;
}
