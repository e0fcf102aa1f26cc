import type { MeasureName, Sample } from './measures.ts';
import { type Spread, spreadOf } from './spread.ts';
import type { Member, Team } from './team.ts';
import type { Span, Work, WorkContext } from './work.ts';

export interface RoundOptions {
  /** How many times each is measured. */
  readonly rounds: number;
  /** For how long each time. */
  readonly span: Span;
  /** What each has before it is looked at, for its code to be compiled. */
  readonly warmUp: Span;
  /** The same before the first work, when nothing is compiled yet. */
  readonly firstWarmUp: Span;
}

/** What has come of one work with one contestant: a sample of each round, or why there is none. */
export type Outcome = { readonly samples: readonly Sample[] } | { readonly failed: string };

/** By the names of contestants. */
export type Outcomes = ReadonlyMap<string, Outcome>;

/**
 * Has contestants do a work in turns, round by round: what disturbs the machine for a while disturbs all of them. Who
 * fails once is out, with a reason instead of figures.
 */
export async function takeTurns(
  team: Team,
  members: readonly Member[],
  work: Work,
  { rounds, span, warmUp }: Pick<RoundOptions, 'rounds' | 'span' | 'warmUp'>,
): Promise<Outcomes> {
  // A fresh process is all that is measured of those works: there is none where there is no process.
  const able = members.filter(({ entrant }) => !work.isFresh || entrant.pid !== undefined);
  const samples = new Map(able.map((member) => [member, [] as Sample[]]));
  const failures = new Map<Member, string>();
  const runs = Math.min(rounds, work.maxRounds ?? rounds);
  for (let round = work.isFresh ? 0 : -1; round < runs; round++) {
    for (const [member, taken] of turned([...samples], round)) {
      if (failures.has(member)) continue;
      try {
        const isWarmUp = round < 0;
        const context = { server: team.server, ...(isWarmUp ? warmUp : span) };
        const sample = await within(
          RUN_LIMIT_MS,
          work.isFresh ? runFresh(team, member, work, context) : work.run(member, context),
        );
        if (!isWarmUp) taken.push(sample);
      } catch (error) {
        failures.set(member, (error as Error).message);
      }
    }
  }
  return new Map(
    [...samples].map(([member, taken]) => {
      const failed = failures.get(member);
      return [member.contestant.name, failed === undefined ? { samples: taken } : { failed }];
    }),
  );
}

/** Nobody is always the first, or always behind the same other. */
function turned<T>(all: readonly T[], round: number): T[] {
  const first = Math.max(0, round) % Math.max(1, all.length);
  return [...all.slice(first), ...all.slice(0, first)];
}

/** Far more than any takes that does its work. */
const RUN_LIMIT_MS = 120_000;

/** @throws when it takes longer */
async function within<T>(limitMs: number, result: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not done within ${limitMs / 1_000} s`)), limitMs);
  });
  return Promise.race([result, late]).finally(() => clearTimeout(timer));
}

async function runFresh(team: Team, { contestant }: Member, work: Work, context: WorkContext): Promise<Sample> {
  const member = await team.add(contestant, { isProbed: false });
  try {
    return await work.run(member, context);
  } finally {
    await team.remove(member);
  }
}

/** What was measured of a contestant; undefined if nothing was. */
export function figure(outcomes: Outcomes, contestant: string, measure: MeasureName): Spread | undefined {
  const values = samplesOf(outcomes, contestant).flatMap((sample) => sample[measure] ?? []);
  return values.length === 0 ? undefined : spreadOf(values);
}

/** The same as a multiple of another's in the same round; undefined if there is nothing of either. */
export function ratio(outcomes: Outcomes, contestant: string, measure: MeasureName, to: string): Spread | undefined {
  const others = samplesOf(outcomes, to);
  const values = samplesOf(outcomes, contestant).flatMap((sample, round) => {
    const [one, other] = [sample[measure], others[round]?.[measure]];
    return one === undefined || !other ? [] : one / other;
  });
  return values.length === 0 ? undefined : spreadOf(values);
}

function samplesOf(outcomes: Outcomes, contestant: string): readonly Sample[] {
  const outcome = outcomes.get(contestant);
  return outcome === undefined || 'failed' in outcome ? [] : outcome.samples;
}

/** Whether anybody was measured so. */
export function isMeasured(outcomes: Outcomes, measure: MeasureName): boolean {
  return [...outcomes.keys()].some((name) => figure(outcomes, name, measure) !== undefined);
}
