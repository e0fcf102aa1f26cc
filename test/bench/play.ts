import { setTimeout as sleep } from 'node:timers/promises';
import { type Outcomes, type RoundOptions, takeTurns } from './rounds.ts';
import type { Member, Team } from './team.ts';
import type { Scene, Work } from './work.ts';

/** What has come of a scene. */
export interface Played {
  readonly scene: Scene;
  /** By the names of works. */
  readonly outcomes: ReadonlyMap<string, Outcomes>;
  /** Those that could not take part, and why. */
  readonly leftOut: ReadonlyMap<string, string>;
  /** Of those that have one of their own. */
  readonly versions: ReadonlyMap<string, string>;
  /** What recorders have recorded of what they have answered. */
  readonly recorded: ReadonlyMap<string, Recorded>;
}

export interface Recorded {
  readonly exchanges: number;
  readonly records: number;
}

/** Starts the contestants of a scene, has them do its works, and stops them. Profiles are files, by contestants. */
export async function play(
  team: Team,
  scene: Scene,
  options: RoundOptions,
  onPlayed: (work: Work, outcomes: Outcomes, profiles: ReadonlyMap<string, string>) => void,
): Promise<Played> {
  const members: Member[] = [];
  const leftOut = new Map<string, string>();
  const outcomes = new Map<string, Outcomes>();
  const versions = new Map<string, string>();
  const recorded = new Map<string, Recorded>();
  try {
    for (const contestant of scene.contestants) {
      const reason = await contestant.missing?.();
      if (reason !== undefined) {
        leftOut.set(contestant.name, reason);
        continue;
      }
      members.push(await team.add(contestant, { isProbed: true }));
      const version = await contestant.version?.();
      if (version !== undefined) versions.set(contestant.name, version);
    }
    let warmUp = options.firstWarmUp;
    for (const work of scene.works) {
      const done = await takeTurns(team, members, work, { ...options, warmUp });
      warmUp = options.warmUp;
      outcomes.set(work.name, done);
      onPlayed(work, done, team.keepProfiles(work.name));
    }
    for (const member of members) {
      const records = await recordsOf(member);
      if (records !== undefined && member.tally.exchanges > 0)
        recorded.set(member.contestant.name, { exchanges: member.tally.exchanges, records });
    }
  } finally {
    for (const member of members) await team.remove(member);
  }
  return { scene, outcomes, leftOut, versions, recorded };
}

const RECORD_LIMIT_MS = 10_000;
const RECORD_LOOK_MS = 250;

/** Records are written behind the answers: they have some time to come. */
async function recordsOf({ entrant, tally }: Member): Promise<number | undefined> {
  const end = performance.now() + RECORD_LIMIT_MS;
  for (;;) {
    const records = await entrant.recorded?.();
    if (records === undefined || records >= tally.exchanges || performance.now() > end) return records;
    await sleep(RECORD_LOOK_MS);
  }
}
