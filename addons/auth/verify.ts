import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { putBounded } from 'insight-dump';
import type { Account, Secret } from './accounts.ts';
import type { Credentials } from './basic.ts';
import type { AuthContext } from './context.ts';
import { HashChecks } from './hash-checks.ts';
import { decoyOf, rankOf } from './hashes.ts';

/**
 * What has been found of credentials and hashes, by a keyed digest of both: an editor opens dozens of tunnels. A hash that
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
  for (const credentials of readings) {
    const account = ctx.state.accounts.byName.get(credentials.user);
    if (await isRight(account?.secret, credentials, address, ctx)) return account;
  }
  return undefined;
}

async function isRight(secret: Secret, given: Credentials, address: string, ctx: AuthContext): Promise<boolean> {
  const { accounts, verdicts } = ctx.state;
  const { slowestHash } = accounts;
  const expected = secret !== undefined && 'password' in secret ? secret.password.normalize() : undefined;
  const equal = timingSafeEqual(digest(verdicts, given.password), digest(verdicts, expected ?? ''));
  if (equal && expected !== undefined && expected !== '') return true;

  const hash = secret !== undefined && 'hash' in secret ? secret.hash : undefined;
  // Whoever hashed it may have typed it in other code points.
  for (const password of new Set([given.password, given.password.normalize('NFD')])) {
    const credentials = { ...given, password };
    if (hash !== undefined && (await fits(hash, credentials, address, verdicts))) return true;
    if (slowestHash === undefined || (hash !== undefined && rankOf(hash) >= rankOf(slowestHash))) continue;
    await fits(decoyOf(slowestHash), credentials, address, verdicts);
  }
  return false;
}

async function fits(hash: string, given: Credentials, address: string, verdicts: Verdicts): Promise<boolean> {
  const { right, wrong, pending } = verdicts;
  // By the name too: all that are none have the same decoy.
  const key = digest(verdicts, `${hash} ${given.user}:${given.password}`).toString('base64');
  const known = right.get(key) ?? wrong.get(key);
  if (known !== undefined) {
    if (known) putBounded(right, key, known, MAX_RIGHT);
    return known;
  }
  const check = pending.get(key) ?? checks.check(address, given, hash);
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

function digest({ key }: Verdicts, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
