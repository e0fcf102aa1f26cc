import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Account, Secret } from './accounts.ts';
import type { Credentials } from './basic.ts';
import { putBounded } from './bounded.ts';
import type { AuthContext } from './context.ts';
import { HashChecks } from './hash-checks.ts';
import { decoyOf, rankOf } from './hashes.ts';

/**
 * What has been found of passwords and hashes, by a keyed digest of both: an editor opens dozens of tunnels. A hash that
 * is changed in its file makes another digest, so what was found of the old one counts no more.
 */
export interface Verdicts {
  /** Of the digests. It is nowhere but in memory. */
  readonly key: Uint8Array;
  readonly right: Map<string, true>;
  readonly wrong: Map<string, false>;
  /** Checks that are under way: whoever asks the same meanwhile shares them. */
  readonly pending: Map<string, Promise<boolean>>;
}

const MAX_RIGHT = 10_000;
/** Fewer, and apart: guesses push out no right ones. */
const MAX_WRONG = 1_000;

export function noVerdicts(): Verdicts {
  return { key: randomBytes(32), right: new Map(), wrong: new Map(), pending: new Map() };
}

const checks = new HashChecks();

/**
 * Finds out whose credentials these are, if they are right in one of their readings. Wrong ones take the same time
 * whether there is such a user or not, and whatever kind of password that user has.
 *
 * @throws TooManyChecks
 */
export async function verify(
  readings: readonly Credentials[],
  address: string,
  ctx: AuthContext,
): Promise<Account | undefined> {
  for (const { user, password } of readings) {
    const account = ctx.state.accounts.byName.get(user);
    if (await isRight(account?.secret, password, address, ctx)) return account;
  }
  return undefined;
}

async function isRight(secret: Secret, password: string, address: string, ctx: AuthContext): Promise<boolean> {
  const { slowestHash } = ctx.state.accounts;
  const expected = secret !== undefined && 'password' in secret ? secret.password.normalize() : undefined;
  const { key } = ctx.state.verdicts;
  const equal = timingSafeEqual(digest(key, password), digest(key, expected ?? ''));
  if (equal && expected !== undefined && expected !== '') return true;

  // Whoever hashed it may have typed it in other code points.
  for (const text of new Set([password, password.normalize('NFD')])) {
    const hash = secret !== undefined && 'hash' in secret ? secret.hash : undefined;
    if (hash !== undefined && (await fits(hash, text, address, ctx))) return true;
    if (slowestHash === undefined) continue;
    if (hash === undefined || rankOf(hash) < rankOf(slowestHash)) await fits(decoyOf(slowestHash), text, address, ctx);
  }
  return false;
}

async function fits(hash: string, password: string, address: string, { state }: AuthContext): Promise<boolean> {
  const { right, wrong, pending, key: processKey } = state.verdicts;
  const key = digest(processKey, `${hash} ${password}`).toString('base64');
  const known = right.get(key) ?? wrong.get(key);
  if (known !== undefined) {
    if (known) putBounded(right, key, known, MAX_RIGHT);
    return known;
  }
  const check = pending.get(key) ?? checks.check(address, hash, password);
  pending.set(key, check);
  try {
    const isRight = await check;
    if (isRight) putBounded(right, key, true, MAX_RIGHT);
    else putBounded(wrong, key, false, MAX_WRONG);
    return isRight;
  } finally {
    pending.delete(key);
  }
}

function digest(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
