/**
 * Budgets of several workers: each has the tallies of all, and tells the others what it adds to them. A worker that begins
 * asks for what it has not heard. So limits hold over all of them, but for what is on its way between them.
 */
import { letIn } from './admissions.ts';
import type { BudgetsContext } from './context.ts';
import type { Asker, Unit } from './options.ts';
import { standingsOf } from './standings.ts';
import { type Day, grow, today } from './tallies.ts';
import { type PlainDay, parseDay, plainDay, save } from './tally-file.ts';
import { markWarned } from './warnings.ts';

type Told =
  | { readonly grown: Grown }
  /** A question was let in. */
  | { readonly letIn: string }
  /** This worker begins. */
  | { readonly begins: number }
  /** What is known, for that worker. */
  | { readonly day: PlainDay; readonly to: number };

interface Grown {
  readonly date: string;
  readonly asker: Asker;
  readonly growth: Partial<Record<Unit, number>>;
}

export function tell({ worker }: BudgetsContext, told: Told): void {
  worker.tell(told);
}

export function hear(told: Told, ctx: BudgetsContext): void {
  const { state, worker } = ctx;
  if ('letIn' in told) letIn(state.admissions, told.letIn);
  else if ('begins' in told) tell(ctx, { day: plainDay(today(ctx)), to: told.begins });
  else if ('grown' in told) hearGrown(told.grown, ctx);
  else if (told.to === worker.number) {
    state.day = latest(today(ctx), parseDay(told.day));
    save(ctx);
  }
}

/** Who told it has warned of it, too. */
function hearGrown({ date, asker, growth }: Grown, ctx: BudgetsContext): void {
  const day = today(ctx);
  if (date !== day.date) return;
  grow(day, asker, growth);
  markWarned(standingsOf(asker, ctx.options.limits, day));
  save(ctx);
}

/** What both know of a day, each as far as it has heard of it; or the later day of two. */
function latest(own: Day, other: Day): Day {
  if (other.date !== own.date) return other.date > own.date ? other : own;
  for (const [key, { used, warned, ...rest }] of other.tallies) {
    const known = own.tallies.get(key);
    if (known === undefined) own.tallies.set(key, { used, warned, ...rest });
    else {
      for (const unit of Object.keys(used) as Unit[]) known.used[unit] = Math.max(known.used[unit], used[unit]);
      for (const note of warned) known.warned.add(note);
    }
  }
  return own;
}
