import { CREDENTIALS, type CredentialPattern } from 'insight-dump';

/**
 * What is masked besides what secretlint's rules find. No pattern takes more than linear time: what repeats is bounded,
 * or begins where no other match of it could.
 */
export const SECRET_PATTERNS: readonly CredentialPattern[] = [
  ...CREDENTIALS,
  // Glued to other letters, as well: chunks of an answer are.
  { kind: 'github token', pattern: /(?:gh[opsur]_|github_pat_)[A-Za-z0-9_]{16,}/g },
  // RFC 7519: the first two parts are JSON objects in base64url.
  { kind: 'jwt', pattern: /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3}/g },
  // To its end; to that of the text, if it is cut.
  {
    kind: 'private key',
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
  },
  // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
  { kind: 'aws access key', pattern: /(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])/g },
  { kind: 'google key', pattern: /AIza[0-9A-Za-z_-]{35}|ya29\.[0-9A-Za-z_-]{20,}/g },
  { kind: 'slack token', pattern: /xox[abeoprs]-[A-Za-z0-9-]{10,}/g },
  { kind: 'npm token', pattern: /npm_[A-Za-z0-9]{36}/g },
  // OpenAI's and Anthropic's.
  { kind: 'api key', pattern: /(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{20,}/g },
  { kind: 'azure key', pattern: /((?:AccountKey|SharedAccessKey)=)[A-Za-z0-9+/]{40,}={0,2}/gi },
  { kind: 'azure signature', pattern: /([?&]sig=)[A-Za-z0-9%+/=_-]{20,}/gi },
  // RFC 5321 has 64 characters before the sign. `git@host:path` is nobody's address.
  {
    kind: 'e-mail address',
    pattern:
      /(?<![A-Za-z0-9._%+-])(?!git@)[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}/g,
  },
];
