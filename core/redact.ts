import { Buffer } from 'node:buffer';

/** What credentials of one kind look like in a text. */
export interface CredentialPattern {
  readonly kind: string;
  /** Global. Its first group, if it has one, stays; what follows is the credential. */
  readonly pattern: RegExp;
  /** It is one only if it is a name and a password in base64 (RFC 7617). */
  readonly isPair?: boolean;
}

export const CREDENTIALS: readonly CredentialPattern[] = [
  { kind: 'basic credentials', pattern: /\b(Basic\s+)[A-Za-z0-9+/_-]{4,}={0,2}/gi, isPair: true },
  { kind: 'bearer token', pattern: /\b(Bearer\s+)[^\s"',]{6,}/gi },
  // https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
  { kind: 'github token', pattern: /\b(gh[opsur]_|github_pat_)[A-Za-z0-9_]{10,}/g },
  // A Copilot token is a row of `key=value;` that begins with its id.
  { kind: 'copilot token', pattern: /\b(tid=)[^\s"',]{8,}/g },
  // No scheme in use is longer than that; without a bound, a long text would take time by the square of its length.
  { kind: 'credentials of a url', pattern: /(\b[a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#@"]+(?=@)/gi },
  { kind: 'token in a url', pattern: /([?&][a-z_-]*(?:token|key|secret)=)[^&\s"']+/gi },
];

/** What each of those has in it, found many times as fast: most texts have none of it. */
const SIGN = /(?:basic|bearer)\s|gh[opsur]_|github_pat_|tid=|:\/\/[^\s/?#@"]+@|(?:token|key|secret)=/i;

/** Most others have no credential either, and are told so by one look instead of one for each kind. */
const ANY_CREDENTIAL = new RegExp(CREDENTIALS.map(({ pattern }) => pattern.source).join('|'), 'i');

/** A last guard: takes credentials out of text that goes to a log. Nobody should have put one there. */
export function redact(text: string): string {
  if (!SIGN.test(text) || !ANY_CREDENTIAL.test(text)) return text;
  return CREDENTIALS.reduce(
    (redacted, { pattern, isPair = false }) =>
      redacted.replace(pattern, (all, stays: string) =>
        isPair && !Buffer.from(all.slice(stays.length), 'base64').includes(':') ? all : `${stays}***`,
      ),
    text,
  );
}

/** Headers that carry credentials. What is written down of a request leaves them out. */
export function isSecretHeader(name: string): boolean {
  return SECRET_HEADERS.has(name.toLowerCase());
}

const SECRET_HEADERS = new Set([
  'authorization',
  'cookie',
  'copilot-edits-session',
  'proxy-authorization',
  'request-hmac',
  'set-cookie',
  'x-api-key',
]);
