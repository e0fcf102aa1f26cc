import { type Asker, type Limit, UNITS, type Unit } from './options.ts';
import { type Day, ownSubject, type Subject, type Tally, tallyOf } from './tallies.ts';

/** One amount that a user may use, and how much of it is used. */
export interface Standing {
  readonly limit: Limit;
  readonly unit: Unit;
  readonly max: number;
  /** Whose use counts against it. */
  readonly tally: Tally;
}

/** All that limits a user. */
export function standingsOf(asker: Asker, limits: readonly Limit[], day: Day): Standing[] {
  return limits
    .filter((limit) => fits(limit, asker))
    .flatMap((limit) => {
      const tally = tallyOf(day, subjectOf(limit, asker));
      return UNITS.flatMap((unit) => {
        const max = limit[unit];
        return max === undefined ? [] : [{ limit, unit, max, tally }];
      });
    });
}

function fits(limit: Limit, { user, groups }: Asker): boolean {
  if (limit.group !== undefined) return groups.includes(limit.group);
  return limit.everyone === true || limit.user === user;
}

function subjectOf({ shared, group }: Limit, asker: Asker): Subject {
  if (!shared) return ownSubject(asker);
  return group === undefined ? { everyone: true } : { group };
}

/** As in `50 turns a day (group trial, together)`. */
export function describeLimit({ limit, unit, max }: Standing): string {
  const whose = limit.group !== undefined ? `group ${limit.group}` : limit.everyone ? 'everyone' : undefined;
  const note = whose === undefined ? '' : ` (${whose}${limit.shared ? ', together' : ''})`;
  return `${max.toLocaleString('en')} ${unit} a day${note}`;
}
