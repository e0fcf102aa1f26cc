/**
 * Apache's AuthGroupFile: a line `group: user user` for each group; a group may have several.
 * https://httpd.apache.org/docs/2.4/mod/mod_authz_groupfile.html
 */
import { printable } from 'insight-dump';

export interface GroupFile {
  /** Users by group. */
  readonly groups: ReadonlyMap<string, readonly string[]>;
  /** What is wrong with which line. */
  readonly problems: readonly string[];
}

/** Reads all lines that can be read. Never throws. */
export function parseGroupFile(text: string): GroupFile {
  const groups = new Map<string, string[]>();
  const problems: string[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const { group, users } = partsOf(line);
    if (group === '') problems.push(`line ${i + 1}: expected "group: user user"; the line is ignored`);
    else if (/\s/.test(group))
      problems.push(`line ${i + 1}: ${printable(group)}: a group is one word; the line is ignored`);
    else groups.set(group, [...new Set([...(groups.get(group) ?? []), ...users])]);
  }
  return { groups, problems };
}

/** The file with the user in the group. */
export function withMember(text: string, group: string, user: string): string {
  if (parseGroupFile(text).groups.get(group)?.includes(user)) return text;
  const lines = text.split('\n');
  const at = lines.findIndex((line) => partsOf(line).group === group);
  if (at < 0) return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${group}: ${user}\n`;
  lines[at] = (lines[at] as string).replace(/\s*$/, (end) => ` ${user}${end.endsWith('\r') ? '\r' : ''}`);
  return lines.join('\n');
}

/** The file with the user in no group. */
export function withoutMember(text: string, user: string): string {
  const lines = text.split('\n').map((line) => {
    const { group, users } = partsOf(line);
    if (group === '' || !users.includes(user)) return line;
    const others = users.filter((each) => each !== user);
    return `${[`${group}:`, ...others].join(' ')}${line.endsWith('\r') ? '\r' : ''}`;
  });
  return lines.join('\n');
}

function partsOf(line: string): { readonly group: string; readonly users: readonly string[] } {
  const colon = line.indexOf(':');
  if (colon < 0 || line.trimStart().startsWith('#')) return { group: '', users: [] };
  const words = line.slice(colon + 1).split(/\s+/);
  return {
    group: line.slice(0, colon).trim().normalize(),
    users: words.filter((word) => word !== '').map((word) => word.normalize()),
  };
}
