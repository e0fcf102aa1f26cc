import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSecretHeader, redact } from '../../core/redact.ts';

const basic = Buffer.from('alice:s3cret').toString('base64');

describe('redacting', () => {
  for (const [text, expected] of [
    [`Proxy-Authorization: Basic ${basic}`, 'Proxy-Authorization: Basic ***'],
    [`{"authorization":"bearer abcdef.ghijkl"}`, '{"authorization":"bearer ***"}'],
    ['token tid=0123456789;exp=1;sku=x rest', 'token tid=*** rest'],
    ['gho_0123456789abcdef and github_pat_11ABCDEFG0_abc', 'gho_*** and github_pat_***'],
    ['github_pat_11ABCDEFG0_abc', 'github_pat_***'],
    ['http://alice:s3cret@proxy:8080/x', 'http://***@proxy:8080/x'],
    ['GET /x?api_key=abc&b=1&access_token=def', 'GET /x?api_key=***&b=1&access_token=***'],
  ] as const) {
    it(`takes the secret out of ${text.slice(0, 30)}…`, () => assert.equal(redact(text), expected));
  }

  for (const text of [
    'basic authentication is needed',
    'the bearer is well',
    'Unexpected token function',
    'http://127.0.0.1:8080/a@b',
    'alice@example.com',
    'Basic realm="insight-dump"',
  ]) {
    it(`leaves "${text}" alone`, () => assert.equal(redact(text), text));
  }

  it('knows headers that carry credentials', () => {
    assert.ok(isSecretHeader('Authorization') && isSecretHeader('set-cookie'));
    assert.ok(!isSecretHeader('content-type'));
  });

  it('takes its time from the length of a text, not from the square of it', () => {
    const began = performance.now();
    redact('a.'.repeat(500_000));
    assert.ok(performance.now() - began < 5_000);
  });

  it('hides a password with an apostrophe in a URL', () => {
    assert.equal(redact("http://alice:it's-s3cret@host/"), 'http://***@host/');
  });
});
