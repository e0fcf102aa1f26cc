import type { Authority } from './authority.ts';

/** Which hosts are looked into: those that match `allow` and not `ignore`, both over `host:port`. */
export interface HostPatterns {
  readonly allow: readonly RegExp[];
  readonly ignore: readonly RegExp[];
}

/**
 * Where Copilot's models answer.
 * https://docs.github.com/copilot/reference/copilot-allowlist-reference
 */
export const COPILOT_HOSTS: readonly RegExp[] = [
  /^([a-z0-9-]+\.)*githubcopilot\.com:443$/i,
  /^copilot-proxy\.githubusercontent\.com:443$/i,
];

/** Telemetry can hold prompt and file text, and is no use of Copilot. */
export const COPILOT_TELEMETRY_HOSTS: readonly RegExp[] = [/^telemetry\.([a-z0-9-]+\.)*githubcopilot\.com:443$/i];

/** True when connections to that host are to be looked into. */
export function isIntercepted({ allow, ignore }: HostPatterns, { host, port }: Authority): boolean {
  const name = `${host}:${port}`;
  const matches = (pattern: RegExp): boolean => {
    // A pattern with the g or y flag remembers where it stood.
    pattern.lastIndex = 0;
    return pattern.test(name);
  };
  return allow.some(matches) && !ignore.some(matches);
}
