/** Passwords for the users whom the config names. */
import { randomBytes } from 'node:crypto';
import { chmod, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, writeWholeFile } from 'insight-dump';
import { accountFiles } from './account-files.ts';
import type { AuthContext } from './context.ts';
import { derivePassword, formatPasswordFile, keyOf, parsePasswordFile, passwordOf } from './password-file.ts';
import { editTextFile } from './text-file.ts';

/** Sees that each user has a password in the file. Those that are there stay. @throws when the file cannot be read */
export async function issuePasswords({ options, paths }: Pick<AuthContext, 'options' | 'paths'>): Promise<void> {
  const file = accountFiles(options, paths).passwords;
  const { users } = options;
  if (users.length === 0) return;
  await editTextFile(file, async (text) => {
    const entries = parsePasswordFile(file, text);
    const missing = users.filter((name) => passwordOf(entries, name) === undefined);
    if (missing.length === 0) return undefined;
    const secret = options.secret ?? (await keptSecret(paths.confdir));
    for (const name of missing) entries.set(keyOf(entries, name), derivePassword(secret, name));
    return formatPasswordFile(entries);
  });
  // Whoever follows the file takes a new mode for an edit, though it be the same.
  if (((await stat(file)).mode & 0o777) !== 0o600) await chmod(file, 0o600);
}

/** The secret beside the CA, made when it is first needed. */
async function keptSecret(confdir: string): Promise<string> {
  const file = path.join(confdir, 'auth.secret');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    const secret = randomBytes(32).toString('hex');
    await writeWholeFile(file, `${secret}\n`, { mode: 0o600 });
    return secret;
  }
}
