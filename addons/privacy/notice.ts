import type { Client } from 'insight-dump';
import { modeOf } from './modes.ts';
import type { Mode, PrivacyOptions } from './options.ts';

/** A name that no server has: `http://privacy.insight-dump/`, through the proxy, is answered here. */
export const PAGE_HOST = 'privacy.insight-dump';

const KEPT: Record<Mode, string> = {
  full: 'what you ask Copilot and what it answers, with when, where from, editor, language and model',
  'metadata-only': 'that you use Copilot: when, where from, editor, language, model and amounts; not what is said',
  off: 'nothing of your use of Copilot',
};

/** What a user is told who asks: what is kept of theirs, and the administrator's own words. */
export function noticePage(
  { user = 'anonymous', groups }: Pick<Client, 'user' | 'groups'>,
  options: PrivacyOptions,
): string {
  const kept = KEPT[modeOf(user, groups, options)];
  const lines = [
    `This proxy keeps, of ${user}: ${kept}.`,
    ...(options.pseudonyms ? ['It is kept under a pseudonym.'] : []),
    ...(options.mask ? ['Secrets and e-mail addresses of known forms are masked.'] : []),
    ...(options.notice === undefined ? [] : ['', options.notice.trim()]),
  ];
  return `${lines.join('\n')}\n`;
}
