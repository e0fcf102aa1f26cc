import { aligned, type CommandContext, dateIn, printable } from 'insight-dump';
import { NO_DAY } from './context.ts';
import { type Asker, type BudgetsOptions, UNITS, type Unit } from './options.ts';
import { standingsOf } from './standings.ts';
import { type Day, newDay, type Subject, type Tally, tallyOf } from './tallies.ts';
import { readDay } from './tally-file.ts';

const USAGE = 'insight-dump budgets    what each user, and all of a shared limit, have used today, and may use\n';

export async function budgetsCommand(
  args: readonly string[],
  { options, paths, usage }: CommandContext<BudgetsOptions>,
): Promise<string> {
  if (args[0] === '--help' || args[0] === '-h') return USAGE;
  if (args.length > 0) throw usage('expected nothing more');
  const day = (await readDay(paths)) ?? newDay(NO_DAY);
  const date = dateIn(options.timeZone, Date.now());
  return standingText(day.date === date ? day : newDay(date), options);
}

type Maxima = Partial<Record<Unit, number>>;

/** The day as a table. */
export function standingText(day: Day, { limits, timeZone }: Pick<BudgetsOptions, 'limits' | 'timeZone'>): string {
  const groupsOf = new Map<string, readonly string[]>();
  // Who is named in a limit is there from the beginning of the day.
  for (const { user } of limits) if (user !== undefined) groupsOf.set(user, []);
  for (const { subject, groups } of day.tallies.values()) if ('user' in subject) groupsOf.set(subject.user, groups);
  const askers = [...groupsOf].map(([user, groups]): Asker => ({ user, groups }));
  askers.sort((one, other) => (one.user < other.user ? -1 : 1));
  const maxima = maximaOf(askers, limits, day);
  const rows = [...maxima].map(([tally, max]) => [
    printable(nameOf(tally.subject)),
    ...UNITS.map((unit) => {
      const used = tally.used[unit].toLocaleString('en');
      return max[unit] === undefined ? used : `${used} of ${max[unit].toLocaleString('en')}`;
    }),
  ]);
  const table = aligned([['WHO', ...UNITS.map((unit) => unit.toUpperCase())], ...rows]);
  return [`${day.date} (${timeZone})`, ...table].map((line) => `${line}\n`).join('');
}

/** The strictest limit of each unit, by whose use counts against it: each user's, then those that are shared. */
function maximaOf(askers: readonly Asker[], limits: BudgetsOptions['limits'], day: Day): Map<Tally, Maxima> {
  const maxima = new Map<Tally, Maxima>();
  for (const { user } of askers) maxima.set(tallyOf(day, { user }), {});
  for (const { tally, unit, max } of askers.flatMap((asker) => standingsOf(asker, limits, day)))
    maxima.set(tally, { ...maxima.get(tally), [unit]: Math.min(max, maxima.get(tally)?.[unit] ?? max) });
  return maxima;
}

function nameOf(subject: Subject): string {
  if ('user' in subject) return subject.user;
  return 'group' in subject ? `group ${subject.group}, together` : 'everyone, together';
}
