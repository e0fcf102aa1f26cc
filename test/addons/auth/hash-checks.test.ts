import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { HashChecks, TooManyChecks } from '../../../addons/auth/hash-checks.ts';
import { decoyOf } from '../../../addons/auth/hashes.ts';
import { parseHtpasswd } from '../../../addons/auth/htpasswd.ts';

const { hashes } = parseHtpasswd(readFileSync(new URL('../../fixtures/auth/users.htpasswd', import.meta.url), 'utf8'));
const PASSWORDS = {
  bcrypt: 'in bcrypt',
  'bcrypt-a': 'in 2a',
  'bcrypt-b': 'in 2b',
  apr1: 'in apr1',
  sha: 'in sha',
  zoë: 'pä:ss:wörd',
  'apr1-zoë': 'pä:ss:wörd',
  'sha-zoë': 'pä:ss:wörd',
};
const SLOW = `$2y$10$${'.'.repeat(53)}`;

describe('checks of hashes', () => {
  const checks = new HashChecks();

  for (const [user, password] of Object.entries(PASSWORDS)) {
    it(`tell right from wrong for ${user}`, async () => {
      const hash = hashes.get(user) ?? '';
      assert.equal(await checks.check('1', hash, password), true);
      assert.equal(await checks.check('1', hash, `${password}!`), false);
      assert.equal(await checks.check('1', hash, ''), false);
      assert.equal(await checks.check('1', decoyOf(hash), password), false);
    });
  }

  it('leave the event loop alone', async () => {
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 1);
    const before = turns;
    await Promise.all([1, 2, 3, 4].map((n) => checks.check('1', SLOW, `guess ${n}`)));
    clearInterval(turning);
    assert.ok(turns - before > 20, `${turns - before} turns`);
  });

  it('let addresses take turns, so that one that guesses does not keep others waiting', async () => {
    const ended: string[] = [];
    const check = async (address: string, n: number) => {
      await checks.check(address, SLOW, `guess ${n}`);
      ended.push(address);
    };
    await Promise.all([...Array.from({ length: 12 }, (_, n) => check('guesser', n)), check('other', 0)]);
    assert.ok(ended.indexOf('other') < 6, ended.join(' '));
  });

  it('refuse more than can wait, and those of one address before those of others', async () => {
    const own = new HashChecks();
    const sha = hashes.get('sha') ?? '';
    const flood = Array.from({ length: 400 }, (_, n) => n).map((n) => {
      try {
        return own.check('guesser', sha, `guess ${n}`);
      } catch (error) {
        return error;
      }
    });
    const refused = flood.filter((each) => each instanceof TooManyChecks);
    assert.ok(refused.length > 100 && refused.length < 200, `${refused.length}`);
    assert.equal(await own.check('other', sha, 'in sha'), true);
    await Promise.all(flood);
  });
});
