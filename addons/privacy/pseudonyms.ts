import { createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type CopilotExchange, codeOf, type Paths, writeWholeFile } from 'insight-dump';

/** The same for the same user as long as the secret is; without the secret, nobody can tell whose it is. */
export function pseudonymOf(user: string, secret: string): string {
  return `user-${digest(`user:${user}`, secret).slice(0, 16)}`;
}

/** Users become pseudonyms, their machines as well, and addresses are left out. */
export function pseudonymize(exchange: CopilotExchange, secret: string): void {
  exchange.user = pseudonymOf(exchange.user, secret);
  exchange.address = '-';
  if (exchange.machine !== undefined) exchange.machine = digest(`machine:${exchange.machine}`, secret);
}

function digest(text: string, secret: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

const secretFile = ({ confdir }: Pick<Paths, 'confdir'>) => path.join(confdir, 'privacy.secret');

/** Undefined where there is none yet. @throws when it cannot be read */
export async function readSecret(paths: Pick<Paths, 'confdir'>): Promise<string | undefined> {
  try {
    return (await readFile(secretFile(paths), 'utf8')).trim() || undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** The secret beside the CA, made when it is first needed. @throws when it can be neither read nor made */
export async function keptSecret(paths: Pick<Paths, 'confdir'>): Promise<string> {
  const kept = await readSecret(paths);
  if (kept !== undefined) return kept;
  const secret = randomBytes(32).toString('hex');
  try {
    await writeWholeFile(secretFile(paths), `${secret}\n`, { mode: 0o600, isNew: true });
    return secret;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    // Another worker was quicker.
    const made = await readSecret(paths);
    if (made !== undefined) return made;
    // It is there, and empty.
    await writeWholeFile(secretFile(paths), `${secret}\n`, { mode: 0o600 });
    return secret;
  }
}
