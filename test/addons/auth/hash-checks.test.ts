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
const SLOW = `$2y$09$${'.'.repeat(53)}`;

describe('checks of hashes', () => {
  const checks = new HashChecks();
  const check = (hash: string, password: string, user = 'alice', address = '10.0.0.1') =>
    checks.check(address, { user, password }, hash);

  for (const [user, password] of Object.entries(PASSWORDS)) {
    it(`tell right from wrong for ${user}`, async () => {
      const hash = hashes.get(user) ?? '';
      assert.equal(await check(hash, password), true);
      assert.equal(await check(hash, `${password}!`), false);
      assert.equal(await check(hash, ''), false);
      assert.equal(await check(decoyOf(hash), password), false);
    });
  }

  it('leave the event loop alone', async () => {
    let turns = 0;
    const turning = setInterval(() => {
      turns += 1;
    }, 1);
    const before = turns;
    await Promise.all([1, 2, 3, 4].map((n) => check(SLOW, `guess ${n}`)));
    clearInterval(turning);
    assert.ok(turns - before > 20, `${turns - before} turns`);
  });

  it('take turns, so that one that guesses keeps neither other addresses waiting nor other users', async () => {
    const ended: string[] = [];
    const ask = async (user: string, address: string, password = '') => {
      await check(SLOW, password, user, address);
      ended.push(`${user} ${address}`);
    };
    const guesses = Array.from({ length: 12 }, (_, n) => ask('alice', '10.0.0.1', `guess ${n}`));
    await Promise.all([...guesses, ask('bob', '10.0.0.1'), ask('alice', '10.0.0.2')]);
    for (const other of ['bob 10.0.0.1', 'alice 10.0.0.2']) assert.ok(ended.indexOf(other) < 8, ended.join(', '));
  });

  it('refuse more than can wait, and those of one address before those of others', async () => {
    const own = new HashChecks();
    const sha = hashes.get('sha') ?? '';
    const flood = Array.from({ length: 400 }, (_, n) =>
      own.check('10.0.0.1', { user: 'sha', password: `guess ${n}` }, sha).catch((error) => error),
    );
    assert.equal(await own.check('10.0.0.2', { user: 'sha', password: 'in sha' }, sha), true);
    const results = await Promise.all(flood);
    const refused = results.filter((each) => each instanceof TooManyChecks);
    assert.ok(refused.length > 100, `${refused.length}`);
  });
});
