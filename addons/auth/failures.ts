import { setTimeout as sleep } from 'node:timers/promises';
import { putBounded } from 'insight-dump';

/** Wrong credentials. */
export interface Failures {
  readonly byNetwork: Map<string, { count: number; lastMs: number; held: number }>;
  /** Answers that are being held back. */
  held: number;
}

/** So many wrong tries are free: editors try a wrong password some twenty times before they give up. */
const FREE_FAILURES = 30;
/** After that long without one, all is forgotten. */
const FAILURE_WINDOW_MS = 60_000;
/** Each so many failures more make it longer by as much. */
const DELAY_STEP_MS = 1_000;
/** Less than a hook may take. */
const MAX_DELAY_MS = 5_000;
const MAX_NETWORKS = 10_000;
/** Each answer that is held back holds a connection. */
const MAX_HELD = 200;
const MAX_HELD_OF_ONE = 10;

export function noFailures(): Failures {
  return { byNetwork: new Map(), held: 0 };
}

/**
 * Counts a failure, and holds its answer back if there have been many from there. Right credentials never come here, so
 * they are never slowed, whoever else guesses from the same address.
 *
 * @param sinceMs when the try began, by `performance.now()`: the time that a check took counts
 * @returns false when so many answers are being held back that this one cannot be: it has to be refused
 */
export async function slowDown(
  address: string,
  sinceMs: number,
  { state: { failures }, signal }: { readonly state: { readonly failures: Failures }; readonly signal: AbortSignal },
): Promise<boolean> {
  const network = networkOf(address);
  const entry = countFailure(network, failures);
  const delayMs = delayOf(entry.count);
  if (delayMs === 0) return true;
  if (failures.held >= MAX_HELD || entry.held >= MAX_HELD_OF_ONE) return false;
  const hold = (by: 1 | -1) => {
    failures.held += by;
    const now = failures.byNetwork.get(network);
    if (now !== undefined) now.held = Math.max(0, now.held + by);
  };
  hold(1);
  await sleep(Math.max(0, sinceMs + delayMs - performance.now()), undefined, { signal }).catch(() => {});
  hold(-1);
  return true;
}

/** Counts a failure from that network, here or in another worker. */
export function countFailure(
  network: string,
  { byNetwork }: Failures,
): { readonly count: number; readonly held: number } {
  const before = byNetwork.get(network);
  const isRecent = before !== undefined && performance.now() - before.lastMs < FAILURE_WINDOW_MS;
  const entry = { count: (isRecent ? before.count : 0) + 1, lastMs: performance.now(), held: before?.held ?? 0 };
  putBounded(byNetwork, network, entry, MAX_NETWORKS);
  return entry;
}

/** How long the answer to so many failures in a row is held back, in milliseconds. */
export function delayOf(count: number): number {
  if (count <= FREE_FAILURES) return 0;
  return Math.min(MAX_DELAY_MS, Math.floor(count / FREE_FAILURES) * DELAY_STEP_MS);
}

/** Whoever has one IPv6 address has all of the same first half (RFC 4291, section 2.5.4). */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const before = head.split(':').filter((part) => part !== '');
  const after = (tail ?? '').split(':').filter((part) => part !== '');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const parts = [...before, ...Array<string>(zeros).fill('0'), ...after];
  return `${parts.slice(0, 4).join(':')}::/64`;
}
