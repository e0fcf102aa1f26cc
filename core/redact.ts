import { Buffer } from 'node:buffer';

/** A last guard: takes credentials out of text that goes to a log. Nobody should have put one there. */
export function redact(text: string): string {
  return text
    .replace(BASIC, (all, scheme: string, value: string) =>
      Buffer.from(value, 'base64').includes(':') ? `${scheme} ***` : all,
    )
    .replace(BEARER, '$1 ***')
    .replace(GITHUB_TOKEN, '$1***')
    .replace(COPILOT_TOKEN, 'tid=***')
    .replace(URL_USER, '$1***@')
    .replace(URL_TOKEN, '$1***');
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

const BASIC = /\b(Basic)\s+([A-Za-z0-9+/_-]{4,}={0,2})/gi;
const BEARER = /\b(Bearer)\s+[^\s"',]{6,}/gi;
/** https://docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github */
const GITHUB_TOKEN = /\b(gh[opsur]_|github_pat_)[A-Za-z0-9_]{10,}/g;
/** A Copilot token is a row of `key=value;` that begins with its id. */
const COPILOT_TOKEN = /\btid=[^\s"',]{8,}/g;
/** No scheme in use is longer than that; without a bound, a long text would take time by the square of its length. */
const URL_USER = /(\b[a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#@"]+@/gi;
const URL_TOKEN = /([?&][a-z_-]*(?:token|key|secret)=)[^&\s"']+/gi;
