/**
 * `logs/user_auth.json`: a password for each user. `"alice": "password"` is for a user whom the config names, and
 * counts for no other; `"carol": { "password": …, "groups": […] }` makes a user by itself, and is what the command
 * `users` writes.
 */
import { createHmac } from 'node:crypto';
import { describePath } from 'insight-dump';

/** What the file holds, by user: whatever an administrator has written stays. */
export type PasswordFile = Map<string, unknown>;

/** A user whom the file makes. */
export interface OwnEntry {
  readonly password: string;
  readonly groups: readonly string[];
}

/**
 * @param file its path, for the message
 * @param text nothing where there is no file yet
 * @throws when it is no JSON object: it is not ours to overwrite then
 */
export function parsePasswordFile(file: string, text: string): PasswordFile {
  const value = text === '' ? {} : jsonOf(text);
  // The parser's message would quote from the file.
  if (!isObject(value))
    throw new Error(`${describePath(file)} is no JSON object of {"user": "password"}; repair it or move it away`);
  return new Map(Object.entries(value));
}

export function formatPasswordFile(entries: PasswordFile): string {
  return `${JSON.stringify(Object.fromEntries(entries), null, 2)}\n`;
}

/** The key that a user has in the file, whatever code points it is written in. */
export function keyOf(entries: PasswordFile, user: string): string {
  // ASCII is composed as it is; there may be thousands of names to look for.
  if (entries.has(user) || /^\p{ASCII}*$/u.test(user)) return user;
  return [...entries.keys()].find((key) => key.normalize() === user.normalize()) ?? user;
}

/** The user's password. Editors send no credentials at all for an empty one, so that is none. */
export function passwordOf(entries: PasswordFile, user: string): string | undefined {
  const entry = entries.get(keyOf(entries, user));
  const password = isObject(entry) ? entry.password : entry;
  return typeof password === 'string' && password !== '' ? password : undefined;
}

/** The users whom the file makes. */
export function ownEntries(entries: PasswordFile): Map<string, OwnEntry> {
  const own = new Map<string, OwnEntry>();
  for (const [user, entry] of entries) {
    const password = passwordOf(entries, user);
    if (!isObject(entry) || password === undefined || user === '' || user.includes(':')) continue;
    const groups = Array.isArray(entry.groups) ? entry.groups.filter((group) => typeof group === 'string') : [];
    own.set(user.normalize(), { password, groups });
  }
  return own;
}

const PASSWORD_LENGTH = 24;

/** The same for the same secret and user. */
export function derivePassword(secret: string, user: string): string {
  return createHmac('sha256', secret).update(user).digest('hex').slice(0, PASSWORD_LENGTH);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
