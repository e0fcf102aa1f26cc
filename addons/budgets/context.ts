import type { Context } from 'insight-dump';
import { type Admissions, noAdmissions } from './admissions.ts';
import type { BudgetsOptions } from './options.ts';
import { type Day, newDay } from './tallies.ts';

export interface BudgetsState {
  /** Today, as far as it has been used; before the file has been read, a day long ago. */
  day: Day;
  readonly admissions: Admissions;
  /** The file says less than is known. */
  dirty: boolean;
  /** The last writing, done or to be done. */
  saved: Promise<void>;
  cannotSave: boolean;
  /** The last post to the webhook, done or to be done. */
  posted: Promise<void>;
  /** Posts that wait. */
  waiting: number;
  cannotPost: boolean;
}

export type BudgetsContext = Context<BudgetsOptions, BudgetsState>;

export const NO_DAY = '';

export function firstState(): BudgetsState {
  return {
    day: newDay(NO_DAY),
    admissions: noAdmissions(),
    dirty: false,
    saved: Promise.resolve(),
    cannotSave: false,
    posted: Promise.resolve(),
    waiting: 0,
    cannotPost: false,
  };
}
