import type { Authority } from './authority.ts';

/** Which hosts are looked into: those that match `allow` and not `ignore`, both over `host:port`. */
export interface HostPatterns {
  readonly allow: readonly RegExp[];
  readonly ignore: readonly RegExp[];
}

/** `allowed` hosts are looked into. Other names of an `unlisted` one may be allowed; `ignored` it is for good. */
export type HostVerdict = 'allowed' | 'unlisted' | 'ignored';

/**
 * Where Copilot's models answer.
 * https://docs.github.com/copilot/reference/copilot-allowlist-reference
 */
export const COPILOT_HOSTS: readonly RegExp[] = [
  /^([a-z0-9-]+\.)*githubcopilot\.com:443$/i,
  /^copilot-proxy\.githubusercontent\.com:443$/i,
];

/** Telemetry can hold prompt and file text, and is no use of Copilot. */
export const COPILOT_TELEMETRY_HOSTS: readonly RegExp[] = [
  /^telemetry\.([a-z0-9-]+\.)*githubcopilot\.com:443$/i,
  /^copilot-telemetry\.githubusercontent\.com:443$/i,
];

/** What the patterns say of a host by the names that a client has for it: any one allows it, and any one rules it out. */
export function judgeHost({ allow, ignore }: HostPatterns, names: readonly Authority[]): HostVerdict {
  if (allow.length === 0 || names.some((name) => matchesAny(ignore, name))) return 'ignored';
  return names.some((name) => matchesAny(allow, name)) ? 'allowed' : 'unlisted';
}

function matchesAny(patterns: readonly RegExp[], { host, port }: Authority): boolean {
  return patterns.some((pattern) => {
    // A pattern with the g or y flag remembers where it stood.
    pattern.lastIndex = 0;
    return pattern.test(`${host}:${port}`);
  });
}
