import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, messageOf } from 'insight-dump';
import type { BudgetsContext } from './context.ts';

/** Of one try. */
const LIMIT_MS = 3_000;
const PAUSES_MS = [1_000, 5_000];
/** One is posted after the other; more than that are not kept. */
const MAX_WAITING = 1_000;

/** Posts a note as JSON if there is a webhook. Nothing waits for it, and no part of its URL but the host is logged. */
export function post(note: object, ctx: BudgetsContext): void {
  const { state, options, log } = ctx;
  const { webhook } = options;
  if (webhook === undefined) return;
  if (state.waiting >= MAX_WAITING) {
    log.debug(`a warning is not posted: ${MAX_WAITING} others wait`);
    return;
  }
  state.waiting += 1;
  state.posted = state.posted
    .then(() => send(webhook, JSON.stringify(note), ctx))
    .finally(() => {
      state.waiting -= 1;
    });
}

/** Resolves when all is posted, or a try more has had its time. */
export async function lastPosts({ state }: BudgetsContext): Promise<void> {
  await Promise.race([state.posted, sleep(LIMIT_MS, undefined, { ref: false })]);
}

async function send(url: string, body: string, { state, log, signal }: BudgetsContext): Promise<void> {
  const { host } = new URL(url);
  let problem = await tryOnce(url, body);
  for (const pauseMs of PAUSES_MS) {
    // Who is down would make all that wait behind this one wait, too.
    if (problem === undefined || state.cannotPost || signal.aborted) break;
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
    problem = await tryOnce(url, body);
  }
  if (problem !== undefined && !state.cannotPost)
    log.error(`cannot post warnings to the webhook at ${host}: ${problem}; each is tried once until it answers again`);
  if (problem === undefined && state.cannotPost) log.warn(`the webhook at ${host} answers again`);
  state.cannotPost = problem !== undefined;
}

/** Returns what went wrong, if anything did; never with the URL in it, which may hold a secret. */
async function tryOnce(url: string, body: string): Promise<string | undefined> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    await answer.body?.cancel();
    return answer.ok ? undefined : `it answers ${answer.status}`;
  } catch (error) {
    const { name, cause } = error as Error;
    if (name === 'TimeoutError') return `no answer within ${LIMIT_MS} ms`;
    return codeOf(cause) ?? (cause === undefined ? name : messageOf(cause));
  }
}
