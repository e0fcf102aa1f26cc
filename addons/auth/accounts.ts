/** Who may use the proxy, put together from the config and the files. */
import type { GroupFile } from './group-file.ts';
import { rankOf } from './hashes.ts';
import type { Htpasswd } from './htpasswd.ts';
import type { AuthOptions } from './options.ts';
import { ownEntries, type PasswordFile, passwordOf } from './password-file.ts';

/** Somebody who may use the proxy, or might if they were not disabled. */
export interface Account {
  /** In composed code points (NFC), as all names here. */
  readonly name: string;
  readonly source: AccountSource;
  readonly secret: Secret;
  readonly groups: readonly string[];
  readonly disabled: boolean;
}

/** What makes the user: a name in the config, a line of the htpasswd file, or an entry of `user_auth.json`. */
export type AccountSource = 'config' | 'htpasswd' | 'user_auth.json';

/** What a password is compared with. A config's user has none before the proxy has made one. */
export type Secret = { readonly password: string } | { readonly hash: string } | undefined;

export interface Accounts {
  readonly byName: ReadonlyMap<string, Account>;
  /** The hash that takes longest to check, if there are any. */
  readonly slowestHash: string | undefined;
}

export const NO_ACCOUNTS: Accounts = { byName: new Map(), slowestHash: undefined };

/** What accounts are made of. */
export interface AccountParts {
  readonly options: Pick<AuthOptions, 'users' | 'groups' | 'disabled'>;
  readonly passwords: PasswordFile;
  readonly htpasswd: Htpasswd['hashes'];
  /** Of the group file, if there is one. */
  readonly groups: GroupFile['groups'];
}

/** A user who is in several places has the password of the htpasswd file. */
export function joinAccounts({ options, passwords, htpasswd, groups }: AccountParts): Accounts {
  const own = ownEntries(passwords);
  const found = new Map<string, readonly [AccountSource, Secret]>();
  for (const [name, { password }] of own) found.set(name, ['user_auth.json', { password }]);
  for (const name of options.users) {
    const password = passwordOf(passwords, name);
    found.set(name.normalize(), ['config', password === undefined ? undefined : { password }]);
  }
  for (const [name, hash] of htpasswd) found.set(name, ['htpasswd', { hash }]);

  const inConfig = typeof options.groups === 'string' ? [] : Object.entries(options.groups);
  const groupsOf = byUser([...inConfig, ...groups]);
  const disabled = new Set(options.disabled.map((name) => name.normalize()));
  const accounts = [...found].map(([name, [source, secret]]): Account => {
    const all = new Set([...(groupsOf.get(name) ?? []), ...(own.get(name)?.groups ?? [])]);
    return { name, source, secret, groups: [...all], disabled: disabled.has(name) };
  });
  return {
    byName: new Map(accounts.map((account) => [account.name, account])),
    slowestHash: slowestOf(htpasswd.values()),
  };
}

function slowestOf(hashes: Iterable<string>): string | undefined {
  let slowest: string | undefined;
  for (const hash of hashes) if (slowest === undefined || rankOf(hash) > rankOf(slowest)) slowest = hash;
  return slowest;
}

/** Turns users by group into groups by user. */
function byUser(groups: Iterable<readonly [string, readonly string[]]>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [group, users] of groups) {
    for (const user of users) {
      const name = user.normalize();
      found.set(name, [...(found.get(name) ?? []), group]);
    }
  }
  return found;
}
