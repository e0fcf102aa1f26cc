import os from 'node:os';
import { aligned, describePath, printable } from 'insight-dump';
import { accountFiles, readAccounts } from './account-files.ts';
import type { Account } from './accounts.ts';
import { readRemembered, type Sighting } from './remembered.ts';
import type { UsersContext } from './user-edits.ts';

/** What a developer sets as the proxy. Where it listens on all addresses, it is known by the machine's name. */
export function proxyUrl({ listen: { host, port } }: UsersContext, user: string, password: string): string {
  const isAny = host === '0.0.0.0' || host === '::';
  const name = isAny ? os.hostname() : host.includes(':') ? `[${host}]` : host;
  return `http://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${name}:${port}`;
}

/** All users as a table; and what is wrong with the files, since it may be why one is missing. */
export async function listText({ options, paths }: UsersContext): Promise<string> {
  const { accounts, problems, unused } = await readAccounts(options, paths, new Map());
  const files = accountFiles(options, paths);
  const places = { config: 'the config', htpasswd: files.htpasswd ?? '', 'user_auth.json': files.passwords };
  const lastSeen = latest(await readRemembered(paths));
  const rows = [...accounts.byName.values()].map(({ name, source, groups, disabled }: Account) => [
    printable(name),
    source === 'config' ? places.config : describePath(places[source]),
    groups.map(printable).join(', '),
    disabled ? 'disabled' : '',
    lastSeen.get(name) ?? '',
  ]);
  const others = unused.map((name) => [printable(name), describePath(files.passwords), '', 'no user', '']);
  const table = aligned([['USER', 'FROM', 'GROUPS', '', 'LAST SEEN'], ...rows, ...others]);
  return [...problems.map((problem) => `⚠️  ${problem}`), ...table].map((line) => `${line}\n`).join('');
}

/** When and from where each user came last, as far as that is remembered. */
function latest(remembered: ReadonlyMap<string, Sighting>): Map<string, string> {
  const sightings = [...remembered].sort(([, one], [, other]) => one.seenMs - other.seenMs);
  return new Map(
    sightings.map(([address, { user, seenMs }]) => {
      const time = new Date(seenMs).toISOString().slice(0, 16).replace('T', ' ');
      return [user, `${time} UTC, from ${address}`];
    }),
  );
}
