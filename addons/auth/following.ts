/** Keeps the accounts as their files are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf, Stamps } from 'insight-dump';
import { accountFiles, readAccounts } from './account-files.ts';
import type { AuthContext } from './context.ts';

/** An edit counts within a second. */
const LOOK_INTERVAL_MS = 300;
/** Tools that write a file in several goes are left so much time between them. */
const SETTLE_MS = 50;
const MAX_SETTLES = 5;

/** Reads the files for the first time, or after the options have changed. @throws when one cannot be read */
export async function beginFollowing(ctx: AuthContext): Promise<void> {
  const { options, paths, state } = ctx;
  const stamps = new Stamps();
  for (const file of Object.values(accountFiles(options, paths))) {
    if (file !== undefined) await stamps.take('content', file);
  }
  await takeIn(ctx);
  state.stamps = stamps;
}

/** Looks for edits, as long as this instance lives. */
export async function follow(ctx: AuthContext): Promise<void> {
  const { state, signal } = ctx;
  const pause = (ms: number) => sleep(ms, undefined, { signal, ref: false }).catch(() => {});
  for (;;) {
    await pause(LOOK_INTERVAL_MS);
    if (signal.aborted) return;
    if (!(await state.stamps?.renew())) continue;
    for (let i = 0; i < MAX_SETTLES; i++) {
      await pause(SETTLE_MS);
      if (!(await state.stamps?.renew())) break;
    }
    await takeIn(ctx).catch((error) => ctx.log.error(messageOf(error), error));
    ctx.log.info(`🔑 the users have been read again: ${state.accounts.byName.size} of them`);
  }
}

/** What is wrong is said once, as long as it stays wrong in the same way. */
async function takeIn({ options, paths, state, log }: AuthContext): Promise<void> {
  state.readings += 1;
  const reading = state.readings;
  const { accounts, problems } = await readAccounts(options, paths, state.lastGood);
  // Another has begun since, with newer options perhaps: it counts.
  if (reading !== state.readings) return;
  for (const problem of problems) if (!state.problems.includes(problem)) log.warn(problem);
  state.accounts = accounts;
  state.problems = problems;
}
