import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { redact } from '../../core/redact.ts';
import { anyCase } from './arbitraries.ts';

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** A text of these characters that is long enough not to be found elsewhere by chance. */
function secretOf(characters: string): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(...characters), minLength: 12, maxLength: 60 });
}

/** A credential as it is written where one is, and what of it nobody may see. */
interface Planted {
  readonly text: string;
  readonly secret: string;
}

const planted: fc.Arbitrary<Planted> = fc.oneof(
  fc.tuple(anyCase('basic'), fc.string({ minLength: 1 }), secretOf(LETTERS)).map(([scheme, user, password]) => {
    const secret = Buffer.from(`${user}:${password}`).toString('base64');
    return { text: `${scheme} ${secret}`, secret };
  }),
  fc
    .tuple(anyCase('bearer'), secretOf(`${LETTERS}-._~+/`))
    .map(([scheme, secret]) => ({ text: `${scheme} ${secret}`, secret })),
  fc
    .tuple(fc.constantFrom('gho_', 'ghp_', 'ghs_', 'ghu_', 'ghr_', 'github_pat_'), secretOf(`${LETTERS}_`))
    .map(([kind, secret]) => ({ text: kind + secret, secret })),
  secretOf(LETTERS).map((secret) => ({ text: `tid=${secret};exp=1763800000;sku=seat;8kp=1:${secret}`, secret })),
  fc
    .tuple(fc.constantFrom('http', 'https', 'socks5'), fc.domain(), secretOf(`${LETTERS}-._~!$&()*+,;=%`))
    .map(([scheme, host, secret]) => ({ text: `${scheme}://alice:${secret}@${host}/`, secret })),
  fc
    .tuple(
      fc.constantFrom('?', '&'),
      fc.constantFrom('token', 'access_token', 'api_key', 'key', 'client_secret', 'x-token'),
      secretOf(`${LETTERS}-._~%`),
    )
    .map(([before, name, secret]) => ({ text: `/x${before}${name}=${secret}`, secret })),
);

/** What stands before and after: where a log names a credential, no word runs on into it. */
const before = fc
  .tuple(fc.string(), fc.constantFrom('', ' ', '"', ': ', '(', '\n', '\t', '{"a":"'))
  .map(([text, end]) => {
    const all = text + end;
    return /\w$/.test(all) ? `${all} ` : all;
  });
const after = fc.tuple(fc.constantFrom(' ', '"', '\n', '",'), fc.string()).map(([end, text]) => end + text);

describe('redacting', () => {
  it('lets no credential through, whatever stands around it', () => {
    fc.assert(
      fc.property(before, planted, after, (start, { text, secret }, end) => {
        const line = `${start}${text}${end}`;
        assert.ok(!redact(line).includes(secret), `${line}\nbecame\n${redact(line)}`);
      }),

      { numRuns: 500 },
    );
  });

  it('takes several out of one line', () => {
    fc.assert(
      fc.property(fc.array(planted, { maxLength: 5 }), (several) => {
        const line = redact(several.map(({ text }) => text).join(' and '));
        for (const { secret } of several) assert.ok(!line.includes(secret), line);
      }),
    );
  });

  it('changes nothing that it has been through', () => {
    fc.assert(
      fc.property(before, planted, after, (start, { text }, end) => {
        const once = redact(`${start}${text}${end}`);
        assert.equal(redact(once), once);
      }),
    );
  });
});
