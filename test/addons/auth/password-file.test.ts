import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  derivePassword,
  formatPasswordFile,
  keyOf,
  ownEntries,
  parsePasswordFile,
  passwordOf,
} from '../../../addons/auth/password-file.ts';

const parse = (value: unknown) => parsePasswordFile('user_auth.json', JSON.stringify(value));

describe('the password file', () => {
  it('makes users of its objects, and of nothing else', () => {
    const entries = parse({ alice: 'for the config', bob: { password: 'x', groups: ['red', 5] }, carol: {}, dave: 5 });
    assert.deepEqual([...ownEntries(entries)], [['bob', { password: 'x', groups: ['red'] }]]);
    assert.deepEqual(
      ['alice', 'bob', 'carol', 'dave', 'eve'].map((user) => passwordOf(entries, user)),
      ['for the config', 'x', undefined, undefined, undefined],
    );
  });

  it('has no password that is empty', () => {
    assert.equal(passwordOf(parse({ alice: '' }), 'alice'), undefined);
    assert.deepEqual([...ownEntries(parse({ alice: { password: '' } }))], []);
  });

  it('knows a user in other code points', () => {
    const entries = parse({ ['zoë'.normalize('NFD')]: 'x' });
    assert.equal(passwordOf(entries, 'zoë'.normalize('NFC')), 'x');
    assert.equal(keyOf(entries, 'zoë'.normalize('NFC')), 'zoë'.normalize('NFD'));
  });

  it('keeps what it does not know, even a user named __proto__', () => {
    const text = '{\n  "__proto__": "x",\n  "more": [\n    1\n  ]\n}\n';
    const entries = parsePasswordFile('f', text);
    assert.equal(passwordOf(entries, '__proto__'), 'x');
    assert.equal(passwordOf(entries, 'constructor'), undefined);
    assert.equal(formatPasswordFile(entries), text);
  });

  it('is empty where there is none, and no other text is a file', () => {
    assert.equal(parsePasswordFile('f', '').size, 0);
    for (const text of ['{"alice": "secret-word"', '[]', 'null', '"secret-word"'])
      assert.throws(() => parsePasswordFile('f', text), {
        message: 'f is no JSON object of {"user": "password"}; repair it or move it away',
      });
  });

  it('gets the same password for the same secret, another for another', () => {
    const one = derivePassword('0123456789abcdef', 'alice');
    assert.match(one, /^[0-9a-f]{24}$/);
    assert.equal(derivePassword('0123456789abcdef', 'alice'), one);
    assert.notEqual(derivePassword('fedcba9876543210', 'alice'), one);
  });
});
