/** Secrets of each kind that masking knows, made up. They are put together here, so that no scanner takes this for one. */

export interface Secret {
  readonly kind: string;
  /** As it stands in a text. */
  readonly text: string;
  /** What of it nobody may see. */
  readonly secret: string;
}

const LETTERS = 'aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hI6';
const of = (kind: string, secret: string, text = secret): Secret => ({ kind, text, secret });
const JWT_PARTS = [{ alg: 'HS256' }, { sub: '1234567890' }].map((part) =>
  Buffer.from(JSON.stringify(part)).toString('base64url'),
);
const KEY_LINES = `MIIEpAIBAAKCAQEA${LETTERS}\n${LETTERS}`;
const KEY_END = `-----END RSA PRIVATE ${'KEY-----'}`;

export const SECRETS: readonly Secret[] = [
  ...['gho', 'ghp', 'ghu', 'ghs', 'ghr'].map((kind) => of(`GitHub ${kind}`, `${kind}_${LETTERS}`)),
  of('GitHub, fine-grained', `github_pat_${LETTERS}_${LETTERS}`),
  of('Copilot', LETTERS, `tid=${LETTERS};exp=1735398336;sku=seat;8kp=1:${LETTERS}`),
  of('JWT', [...JWT_PARTS, LETTERS].join('.')),
  of('AWS key id', `AK${'IA'}J6S7QPZXCVBN2345`),
  of('AWS secret', `${LETTERS}abcd`, `aws_secret_access_key = "${LETTERS}abcd"`),
  of('Google', `AI${'za'}SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY`),
  of('Slack', `xo${'xb'}-123456789012-1234567890123-${LETTERS.slice(0, 24)}`),
  of('npm', `np${'m'}_${LETTERS}`),
  of('OpenAI', `s${'k'}-proj-${LETTERS}${LETTERS}`),
  of('Anthropic', `s${'k'}-ant-api03-${LETTERS}${LETTERS}`),
  of('Azure storage', `${LETTERS}${LETTERS}==`, `AccountName=x;AccountKey=${LETTERS}${LETTERS}==;`),
  of('private key', LETTERS, `-----BEGIN RSA PRIVATE KEY-----\n${KEY_LINES}\n${KEY_END}`),
  of('private key in JSON', LETTERS, JSON.stringify(`-----BEGIN PRIVATE KEY-----\n${KEY_LINES}\n${KEY_END}`)),
  of('Bearer', LETTERS, `Authorization: Bearer ${LETTERS}`),
  of('Basic', 'YWxpY2U6czNjcjN0', 'Authorization: Basic YWxpY2U6czNjcjN0'),
  of('user of a URL', 'hunter2-pass', 'https://alice:hunter2-pass@example.com/x'),
  of('database', 'hunter2-pass', 'postgres://alice:hunter2-pass@db.example.com/x'),
  of('token of a URL', LETTERS, `https://example.com/?access_token=${LETTERS}`),
  of('e-mail', 'alice.b+c@mail.example.com'),
];
