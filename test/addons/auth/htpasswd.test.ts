import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseHtpasswd, withHash, withoutUser } from '../../../addons/auth/htpasswd.ts';

const FIXTURE = readFileSync(new URL('../../fixtures/auth/users.htpasswd', import.meta.url), 'utf8');
const SHA = '{SHA}nzIm84E2qbwxHtpWDgHFU4og3z8=';

describe('an htpasswd file', () => {
  it('of Apache is read without a complaint', () => {
    const { hashes, problems } = parseHtpasswd(FIXTURE);
    assert.deepEqual(problems, []);
    assert.deepEqual(
      [...hashes.keys()],
      ['bcrypt', 'apr1', 'sha', 'bcrypt-a', 'bcrypt-b', 'zoë', 'apr1-zoë', 'sha-zoë'],
    );
  });

  it('may have comments, blank lines, ends of Windows, and fields after the hash', () => {
    const { hashes, problems } = parseHtpasswd(
      `# users\r\n\r\n  \nalice:${SHA}\r\nbob:${SHA}:Bob, of sales\n#eve:${SHA}`,
    );
    assert.deepEqual(problems, []);
    assert.deepEqual(Object.fromEntries(hashes), { alice: SHA, bob: SHA });
  });

  it('names each line that is broken by its number, without its hash, and takes the others', () => {
    const { hashes, problems } = parseHtpasswd(
      [
        `alice:${SHA}`,
        'no colon',
        ':$2y$05$nobody',
        'carol:$6$rounds=5000$c2FsdA$secret-hash',
        'dave:secret-word',
        `alice:${SHA}`,
        `frank:$2y$31$${'a'.repeat(53)}`,
        'grace:',
        'eve\u001b[2J:$1$salt$x',
        `bob:${SHA}`,
      ].join('\n'),
    );
    assert.deepEqual([...hashes.keys()], ['alice', 'bob']);
    assert.deepEqual(
      problems.map((problem) => /^line \d+: .*?(?=[:;] )/.exec(problem)?.[0]),
      [
        'line 2: expected user:hash',
        'line 3: expected user:hash',
        'line 4: carol',
        'line 5: dave',
        'line 6: alice',
        'line 7: frank',
        'line 8: grace',
        'line 9: eve·[2J',
      ],
    );
    assert.doesNotMatch(problems.join('\n'), /secret/);
    assert.match(problems[2] ?? '', /a \$6\$ hash of that form cannot be checked: expected bcrypt/);
    assert.match(problems[5] ?? '', /cost 31: expected 4 to 14/);
  });

  it('takes a name for the same in other code points', () => {
    assert.deepEqual([...parseHtpasswd(`${'zoë'.normalize('NFD')}:${SHA}`).hashes.keys()], ['zoë'.normalize('NFC')]);
  });

  it('keeps all that is in it when a hash is set', () => {
    const text = `# staff\r\nalice:${SHA}\r\nbroken\r\nbob:${SHA}`;
    assert.equal(withHash(text, 'alice', 'new'), `# staff\r\nalice:new\r\nbroken\r\nbob:${SHA}`);
    assert.equal(withHash(text, 'carol', 'new'), `${text}\ncarol:new\n`);
    assert.equal(withHash('', 'carol', 'new'), 'carol:new\n');
  });

  it('keeps all that is in it but the user who is removed', () => {
    const text = `# alice:x\nalice:${SHA}\nbob:${SHA}\nalice:again\n`;
    assert.equal(withoutUser(text, 'alice'), `# alice:x\nbob:${SHA}\n`);
    assert.equal(withoutUser(text, 'eve'), text);
  });
});
