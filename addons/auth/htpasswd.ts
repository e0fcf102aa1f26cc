/**
 * Apache's password file: a line `user:hash` for each user. https://httpd.apache.org/docs/2.4/programs/htpasswd.html
 * Blank lines and those that begin with `#` say nothing.
 */
import { printable } from 'insight-dump';
import { faultOf } from './hashes.ts';

export interface Htpasswd {
  /** Hashes by user. */
  readonly hashes: ReadonlyMap<string, string>;
  /** What is wrong with which line; none shows a hash. */
  readonly problems: readonly string[];
}

/** Reads all lines that can be read. Never throws. */
export function parseHtpasswd(text: string): Htpasswd {
  const hashes = new Map<string, string>();
  const problems: string[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (saysNothing(line)) continue;
    const user = userOf(line);
    const hash =
      line
        .slice(line.indexOf(':') + 1)
        .split(':')[0]
        ?.trim() ?? '';
    const fault = user === undefined ? 'expected user:hash' : hashes.has(user) ? 'is here twice' : faultOf(hash);
    if (user !== undefined && fault === undefined) hashes.set(user, hash);
    else
      problems.push(`line ${i + 1}: ${user === undefined ? '' : `${printable(user)}: `}${fault}; the line is ignored`);
  }
  return { hashes, problems };
}

/** The file with this hash for this user, in the place where the user stands already, or at the end. */
export function withHash(text: string, user: string, hash: string): string {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => userOf(line) === user);
  if (at >= 0) {
    lines[at] = `${user}:${hash}${lines[at]?.endsWith('\r') ? '\r' : ''}`;
    return lines.join('\n');
  }
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${user}:${hash}\n`;
}

/** The file without the user. */
export function withoutUser(text: string, user: string): string {
  return text
    .split('\n')
    .filter((line) => userOf(line) !== user)
    .join('\n');
}

function saysNothing(line: string): boolean {
  return line.trim() === '' || line.trimStart().startsWith('#');
}

/** Typed on another system, the same name may come in other code points. */
function userOf(line: string): string | undefined {
  const colon = line.indexOf(':');
  const user = line.slice(0, colon).trim().normalize();
  return colon < 0 || user === '' || saysNothing(line) ? undefined : user;
}
