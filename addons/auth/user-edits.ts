/** Changes of users, in the files that they are kept in. */
import { randomBytes } from 'node:crypto';
import { hash, truncates } from 'bcryptjs';
import { type CommandContext, describePath } from 'insight-dump';
import { accountFiles, readAccounts } from './account-files.ts';
import type { Account } from './accounts.ts';
import { withMember, withoutMember } from './group-file.ts';
import { parseHtpasswd, withHash, withoutUser } from './htpasswd.ts';
import type { AuthOptions } from './options.ts';
import {
  formatPasswordFile,
  keyOf,
  ownEntries,
  type PasswordFile,
  parsePasswordFile,
  passwordOf,
} from './password-file.ts';
import { editTextFile } from './text-file.ts';

export type UsersContext = CommandContext<AuthOptions>;

/** A password, and the file that it is in now. */
export interface Changed {
  readonly password: string;
  readonly file: string;
}

export function generatePassword(): string {
  return randomBytes(12).toString('hex');
}

/** @throws when there is no such user */
export async function findUser({ options, paths }: UsersContext, user: string): Promise<Account> {
  const account = (await readAccounts(options, paths, new Map())).accounts.byName.get(user);
  if (account === undefined) throw new Error(`there is no user ${user}`);
  return account;
}

/** Makes a user, with a password that is generated. @throws when there is one already, or no place for the groups */
export async function addUser(ctx: UsersContext, user: string, groups: readonly string[]): Promise<Changed> {
  const { options, paths } = ctx;
  const files = accountFiles(options, paths);
  for (const group of groups) assertGroup(group, ctx);
  if (groups.length > 0) assertPlaceForGroups(ctx, user);
  const { accounts } = await readAccounts(options, paths, new Map());
  if (accounts.byName.has(user)) throw exists(user);

  // First: nobody is to be there for a moment without what their groups forbid.
  if (files.groups !== undefined) {
    await editTextFile(files.groups, (text) => groups.reduce((all, group) => withMember(all, group, user), text));
  }
  const generated = generatePassword();
  const ownGroups = files.groups === undefined && groups.length > 0 ? { groups } : {};
  return files.htpasswd === undefined
    ? editPasswords(ctx, (entries) => {
        if (ownEntries(entries).has(user)) throw exists(user);
        // The entry of a user whom the config named once, or of the first version's file.
        const password = passwordOf(entries, user) ?? generated;
        entries.set(keyOf(entries, user), { password, ...ownGroups });
        return password;
      })
    : addHash(files.htpasswd, user, generated);
}

/** Sets a user's password where it is. @throws when there is no such user, or the password cannot be hashed */
export async function setPassword(ctx: UsersContext, user: string, password: string): Promise<Changed> {
  const { htpasswd } = accountFiles(ctx.options, ctx.paths);
  const { source } = await findUser(ctx, user);
  if (source === 'htpasswd' && htpasswd !== undefined) {
    const hashed = await hashOf(password);
    await editTextFile(htpasswd, (text) => withHash(text, user, hashed));
    return { password, file: describePath(htpasswd) };
  }
  return editPasswords(ctx, (entries) => {
    const key = keyOf(entries, user);
    const before = entries.get(key);
    entries.set(key, typeof before === 'object' ? { ...before, password } : password);
    return password;
  });
}

/**
 * Takes a user out of all files.
 *
 * @returns those that the user was in
 * @throws when the config names the user, or there is none
 */
export async function removeUser(ctx: UsersContext, user: string): Promise<string[]> {
  const { options, paths } = ctx;
  if (options.users.some((name) => name.normalize() === user))
    throw new Error(`the config names ${user}: take them off options.auth.users there`);
  const files = accountFiles(options, paths);
  const edits: [string | undefined, (text: string) => string][] = [
    [files.htpasswd, (text) => withoutUser(text, user)],
    [files.passwords, (text) => withoutEntry(files.passwords, text, user)],
    [files.groups, (text) => withoutMember(text, user)],
  ];
  const changed: string[] = [];
  for (const [file, edit] of edits) {
    if (file === undefined) continue;
    await editTextFile(file, (text) => {
      const after = edit(text);
      if (after !== text) changed.push(describePath(file));
      return after === text ? undefined : after;
    });
  }
  if (changed.length === 0) throw new Error(`there is no user ${user}`);
  return changed;
}

function withoutEntry(file: string, text: string, user: string): string {
  const entries = parsePasswordFile(file, text);
  return entries.delete(keyOf(entries, user)) ? formatPasswordFile(entries) : text;
}

async function editPasswords(
  { options, paths }: UsersContext,
  edit: (entries: PasswordFile) => string,
): Promise<Changed> {
  const file = accountFiles(options, paths).passwords;
  let password = '';
  await editTextFile(file, (text) => {
    const entries = parsePasswordFile(file, text);
    password = edit(entries);
    return formatPasswordFile(entries);
  });
  return { password, file: describePath(file) };
}

async function addHash(file: string, user: string, password: string): Promise<Changed> {
  const hashed = await hashOf(password);
  await editTextFile(file, (text) => {
    if (parseHtpasswd(text).hashes.has(user)) throw exists(user);
    return withHash(text, user, hashed);
  });
  return { password, file: describePath(file) };
}

/** A tenth of a second to check, on today's machines. */
const BCRYPT_COST = 10;

async function hashOf(password: string): Promise<string> {
  const text = password.normalize();
  if (truncates(text)) throw new Error('the password is longer than the 72 bytes that bcrypt takes');
  // The same under the name that Apache knows it by.
  return (await hash(text, BCRYPT_COST)).replace(/^\$2b\$/, '$2y$');
}

function exists(user: string): Error {
  return new Error(`there is a user ${user} already; users passwd ${user} sets another password`);
}

function assertGroup(group: string, ctx: UsersContext): void {
  if (!/^[^\s:#\p{Cc}][^\s:\p{Cc}]*$/u.test(group))
    throw ctx.usage(`--group "${group}": expected one word, without a colon`);
}

function assertPlaceForGroups({ options }: UsersContext, user: string): void {
  const isFile = typeof options.groups === 'string';
  if (!isFile && options.htpasswd !== undefined)
    throw new Error(
      `groups of users in an htpasswd file are in the config: name ${user} there, or set options.auth.groups to a group file`,
    );
  if (isFile && /\s/.test(user)) throw new Error(`a group file cannot name "${user}": names in it are single words`);
}
