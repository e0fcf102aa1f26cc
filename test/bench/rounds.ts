import type { MeasureName, Sample } from './measures.ts';
import { MEASURES } from './measures.ts';
import { type Spread, spreadOf } from './spread.ts';
import type { Member, Team } from './team.ts';
import type { Work } from './work.ts';

export interface RoundOptions {
  readonly rounds: number;
  /** Of each measurement. */
  readonly seconds: number;
  /** What each contestant has before it is looked at, for its code to be compiled. */
  readonly warmUpSeconds: number;
}

/** What has come of one work with one contestant: figures, or why there are none. */
export type Outcome = { readonly figures: Partial<Record<MeasureName, Spread>> } | { readonly failed: string };

/** By the name of the contestant. */
export type Outcomes = ReadonlyMap<string, Outcome>;

/**
 * Has all contestants do a work in turns, round by round: what disturbs the machine for a while disturbs all of them.
 * Who fails once is out, with a reason instead of figures.
 */
export async function takeTurns(
  team: Team,
  members: readonly Member[],
  work: Work,
  { rounds, seconds, warmUpSeconds }: RoundOptions,
): Promise<Outcomes> {
  const samples = new Map<Member, Sample[]>(members.map((member) => [member, []]));
  const outcomes = new Map<string, Outcome>();
  for (let round = -1; round < rounds; round++) {
    for (const [member, taken] of samples) {
      const { contestant, entrant, loopDelay } = member;
      const isWarmUp = round < 0;
      const context = { server: team.server, seconds: isWarmUp ? warmUpSeconds : seconds, loopDelay };
      try {
        const sample = await work.run(entrant, context);
        if (!isWarmUp) taken.push(sample);
      } catch (error) {
        samples.delete(member);
        outcomes.set(contestant.name, { failed: (error as Error).message });
      }
    }
  }
  for (const [{ contestant }, taken] of samples) outcomes.set(contestant.name, { figures: figuresOf(taken) });
  return outcomes;
}

function figuresOf(samples: readonly Sample[]): Partial<Record<MeasureName, Spread>> {
  const figures: Partial<Record<MeasureName, Spread>> = {};
  for (const name of Object.keys(MEASURES) as MeasureName[]) {
    const values = samples.flatMap((sample) => sample[name] ?? []);
    if (values.length > 0) figures[name] = spreadOf(values);
  }
  return figures;
}
