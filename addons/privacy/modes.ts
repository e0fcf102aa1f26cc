import type { CopilotExchange } from 'insight-dump';
import type { Mode, PrivacyOptions } from './options.ts';

/** The strictest last. */
const ORDER = ['full', 'metadata-only', 'off'] as const satisfies readonly Mode[];

const KEEP: Record<Mode, CopilotExchange['keep']> = { full: 'all', 'metadata-only': 'metadata', off: 'nothing' };

/** Of all that is said about a user, the strictest; the default only where nothing is. */
export function modeOf(
  user: string,
  inGroups: readonly string[],
  { default: otherwise, users, groups }: Pick<PrivacyOptions, 'default' | 'users' | 'groups'>,
): Mode {
  const said = [own(users, user), ...inGroups.map((group) => own(groups, group))].filter((mode) => mode !== undefined);
  return said.length === 0 ? otherwise : strictest(said);
}

/** What may be kept: what the mode lets, unless another addon has said less already. */
export function keepBy(mode: Mode, keep: CopilotExchange['keep']): CopilotExchange['keep'] {
  return KEEP[strictest([mode, ...ORDER.filter((each) => KEEP[each] === keep)])];
}

function strictest(modes: readonly Mode[]): Mode {
  return modes.reduce((strict, mode) => (ORDER.indexOf(mode) > ORDER.indexOf(strict) ? mode : strict), 'full');
}

/** Users may be called `constructor`. */
function own(modes: Readonly<Record<string, Mode>>, name: string): Mode | undefined {
  return Object.hasOwn(modes, name) ? modes[name] : undefined;
}
