/**
 * The password hashes that Apache's `htpasswd` makes and we can check.
 * https://httpd.apache.org/docs/2.4/misc/password_encryptions.html
 */

interface HashKind {
  readonly pattern: RegExp;
  /** How long a check takes, beside those of other hashes. */
  rank(match: RegExpExecArray): number;
  /** Another hash that takes as long to check, and that no password fits. */
  decoy(match: RegExpExecArray): string;
}

const HASH_KINDS: readonly HashKind[] = [
  {
    pattern: /^(\$2[aby]\$(\d\d)\$)[./A-Za-z0-9]{53}$/,
    rank: ([, , cost]) => 2 + Number(cost),
    decoy: ([, head]) => `${head}${'.'.repeat(53)}`,
  },
  {
    pattern: /^\$apr1\$[^$:\s]{1,8}\$[./A-Za-z0-9]{22}$/,
    rank: () => 1,
    decoy: () => `$apr1$decoy$${'.'.repeat(22)}`,
  },
  {
    pattern: /^\{SHA\}[A-Za-z0-9+/]{27}=$/,
    rank: () => 0,
    decoy: () => `{SHA}${'A'.repeat(27)}=`,
  },
];

/** Each step doubles the time; 14 takes about two seconds. Below 4 there is none. */
const BCRYPT_COSTS = { min: 4, max: 14 };

/** What is wrong with a hash, without showing it; undefined if it can be checked. */
export function faultOf(hash: string): string | undefined {
  const [, , cost] = HASH_KINDS[0]?.pattern.exec(hash) ?? [];
  if (cost !== undefined) {
    const isBearable = Number(cost) >= BCRYPT_COSTS.min && Number(cost) <= BCRYPT_COSTS.max;
    return isBearable ? undefined : `bcrypt of cost ${cost}: expected ${BCRYPT_COSTS.min} to ${BCRYPT_COSTS.max}`;
  }
  if (HASH_KINDS.some(({ pattern }) => pattern.test(hash))) return undefined;
  return `${nameOf(hash)} cannot be checked: expected bcrypt ($2y$), {SHA} or $apr1$; "htpasswd -B" makes bcrypt`;
}

function nameOf(hash: string): string {
  const [scheme] = /^(?:\$[a-z0-9]{1,8}\$|\{[A-Z]{1,8}\})/i.exec(hash) ?? [];
  if (hash === '') return 'an empty hash';
  return scheme === undefined ? 'what is no hash, or one of crypt(),' : `a ${scheme} hash of that form`;
}

/** How long a check takes, beside those of other hashes. */
export function rankOf(hash: string): number {
  for (const { pattern, rank } of HASH_KINDS) {
    const match = pattern.exec(hash);
    if (match !== null) return rank(match);
  }
  return -1;
}

/** A hash that takes as long to check as this one, and that no password fits. */
export function decoyOf(hash: string): string {
  for (const { pattern, decoy } of HASH_KINDS) {
    const match = pattern.exec(hash);
    if (match !== null) return decoy(match);
  }
  return hash;
}
