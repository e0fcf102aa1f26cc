/** The files that accounts are read from. */
import path from 'node:path';
import { describePath, messageOf, type Paths } from 'insight-dump';
import { type Accounts, joinAccounts } from './accounts.ts';
import { parseGroupFile } from './group-file.ts';
import { parseHtpasswd } from './htpasswd.ts';
import type { AuthOptions } from './options.ts';
import { parsePasswordFile } from './password-file.ts';
import { isMissing, readTextFile } from './text-file.ts';

/** Where they lie; undefined where the config names none. */
export interface AccountFiles {
  readonly passwords: string;
  readonly htpasswd: string | undefined;
  readonly groups: string | undefined;
}

export function accountFiles(
  { htpasswd, groups }: Pick<AuthOptions, 'htpasswd' | 'groups'>,
  paths: Paths,
): AccountFiles {
  return {
    passwords: path.join(paths.logs, 'user_auth.json'),
    htpasswd: htpasswd === undefined ? undefined : path.resolve(paths.config, htpasswd),
    groups: typeof groups === 'string' ? path.resolve(paths.config, groups) : undefined,
  };
}

/** What files held when they could be read last. */
export type LastGood = Map<string, string>;

export interface AccountsRead {
  readonly accounts: Accounts;
  /** What is wrong with lines and whole files, a line each; none holds a secret. */
  readonly problems: readonly string[];
  /** Names with a password in `user_auth.json` that are no users: the config names them no more, or never did. */
  readonly unused: readonly string[];
}

/**
 * Reads all of them. One that cannot be read counts as it was when it could be.
 *
 * @throws when one cannot be read, and never could be
 */
export async function readAccounts(options: AuthOptions, paths: Paths, lastGood: LastGood): Promise<AccountsRead> {
  const files = accountFiles(options, paths);
  const problems: string[] = [];
  const read = <T>(file: string, parse: (text: string) => T) =>
    readLastGood(file, parse, lastGood, problems, file !== files.passwords);
  const passwords = await read(files.passwords, (text) => parsePasswordFile(files.passwords, text));
  const htpasswd = files.htpasswd === undefined ? undefined : await read(files.htpasswd, parseHtpasswd);
  const groupFile = files.groups === undefined ? undefined : await read(files.groups, parseGroupFile);
  const of = (file = '', lines: readonly string[] = []) => lines.map((line) => `${describePath(file)}: ${line}`);
  const accounts = joinAccounts({
    options,
    passwords,
    htpasswd: htpasswd?.hashes ?? new Map(),
    groups: groupFile?.groups ?? new Map(),
  });
  return {
    accounts,
    unused: [...passwords.keys()].filter((name) => !accounts.byName.has(name.normalize())),
    problems: [...problems, ...of(files.htpasswd, htpasswd?.problems), ...of(files.groups, groupFile?.problems)],
  };
}

async function readLastGood<T>(
  file: string,
  parse: (text: string) => T,
  lastGood: LastGood,
  problems: string[],
  isNamed: boolean,
): Promise<T> {
  try {
    const text = await readTextFile(file);
    const value = parse(text);
    lastGood.set(file, text);
    return value;
  } catch (error) {
    // One that has never been there is an empty one.
    if (isMissing(error) && !lastGood.has(file)) lastGood.set(file, '');
    const before = lastGood.get(file);
    if (before === undefined) throw error;
    if (before !== '' || !isMissing(error)) problems.push(`${messageOf(error)}; what was read before still counts`);
    else if (isNamed) problems.push(`there is no file ${describePath(file)} yet`);
    return parse(before);
  }
}
