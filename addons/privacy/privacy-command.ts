/** `insight-dump privacy`: what is kept of whom, to be read and passed on. */
import { parseArgs } from 'node:util';
import type { CommandContext } from 'insight-dump';
import { PAGE_HOST } from './notice.ts';
import type { PrivacyOptions } from './options.ts';
import { pseudonymOf, readSecret } from './pseudonyms.ts';

const USAGE = `insight-dump privacy                  what is kept of whom, and the notice for users
insight-dump privacy pseudonym NAME   what a user is called in records and counts
`;

export async function privacyCommand(
  args: readonly string[],
  { options, paths, usage }: CommandContext<PrivacyOptions>,
): Promise<string> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) return USAGE;
  const [action, user, ...rest] = positionals;
  if (action === undefined) return overview(options);
  if (action !== 'pseudonym') throw usage(`no action "${action}": expected pseudonym, or nothing`);
  if (user === undefined || rest.length > 0) throw usage('pseudonym: expected the name of one user');
  const secret = await readSecret(paths);
  if (secret === undefined) throw new Error('nobody has a pseudonym: options.privacy.pseudonyms has never been on');
  return `${pseudonymOf(user.normalize(), secret)}\n`;
}

function overview({ default: otherwise, users, groups, pseudonyms, mask, notice }: PrivacyOptions): string {
  const rows = [
    ...Object.entries(users).map(([name, mode]) => [`user ${name}`, mode]),
    ...Object.entries(groups).map(([name, mode]) => [`group ${name}`, mode]),
    [Object.keys({ ...users, ...groups }).length === 0 ? 'everybody' : 'everybody else', otherwise],
    ['pseudonyms', pseudonyms ? 'on' : 'off'],
    ['masking of secrets', mask ? 'on' : 'off'],
  ] as const;
  const width = Math.max(...rows.map(([name]) => name?.length ?? 0));
  const table = rows.map(([name = '', value]) => `${name.padEnd(width)}  ${value}\n`).join('');
  const page = `Users can read what is kept of theirs through the proxy: http://${PAGE_HOST}/\n`;
  return `${table}\n${page}${notice === undefined ? '' : `\n${notice.trim()}\n`}`;
}
