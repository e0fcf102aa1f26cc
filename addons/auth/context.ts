import type { Client, Context, Stamps } from 'insight-dump';
import type { LastGood } from './account-files.ts';
import { type Accounts, NO_ACCOUNTS } from './accounts.ts';
import { type Failures, noFailures } from './failures.ts';
import type { AuthOptions } from './options.ts';
import type { Remembered } from './remembered.ts';
import type { Said } from './said.ts';
import { noVerdicts, type Verdicts } from './verify.ts';

/** What survives a save of the addon: data, so that no code of an old version lives on in it. */
export interface State {
  accounts: Accounts;
  readonly lastGood: LastGood;
  /** Of the files that accounts are read from. */
  stamps: Stamps | undefined;
  /** How often they have been begun to be read. */
  readings: number;
  /** What was wrong with those files when they were read last. */
  problems: readonly string[];
  /** Whom this addon has let in. */
  readonly admitted: WeakSet<Client>;
  readonly verdicts: Verdicts;
  readonly failures: Failures;
  /** Who came last from which address; undefined before it has been read. */
  remembered: Remembered | undefined;
  readonly said: Said;
}

export type AuthContext = Context<AuthOptions, State>;

export function firstState(): State {
  return {
    accounts: NO_ACCOUNTS,
    lastGood: new Map(),
    stamps: undefined,
    readings: 0,
    problems: [],
    admitted: new WeakSet(),
    verdicts: noVerdicts(),
    failures: noFailures(),
    remembered: undefined,
    said: new Map(),
  };
}
