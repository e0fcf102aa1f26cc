import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decoyOf, faultOf, rankOf } from '../../../addons/auth/hashes.ts';

const SHA = '{SHA}nzIm84E2qbwxHtpWDgHFU4og3z8=';
const APR1 = '$apr1$ID1l7kUk$oNbrxdSMVIEbFNeDUWxup1';
const bcrypt = (cost: string) => `$2y$${cost}$${'a'.repeat(53)}`;

describe('hashes', () => {
  it('are known by how long they take', () => {
    const hashes = [SHA, APR1, bcrypt('04'), bcrypt('12')];
    assert.deepEqual(
      [...hashes].sort((one, other) => rankOf(one) - rankOf(other)),
      hashes,
    );
  });

  it('have decoys that take as long, and can be checked', () => {
    for (const hash of [SHA, APR1, bcrypt('04'), bcrypt('12')]) {
      assert.equal(faultOf(decoyOf(hash)), undefined, hash);
      assert.equal(rankOf(decoyOf(hash)), rankOf(hash));
      assert.notEqual(decoyOf(hash), hash);
    }
  });

  it('are not taken when they take too long, or are of another kind', () => {
    assert.equal(faultOf(bcrypt('14')), undefined);
    for (const hash of [
      bcrypt('15'),
      bcrypt('03'),
      '$2y$10$short',
      '$5$a$b',
      'rqXexS6ZhobKA',
      '',
      `${APR1}x`,
      `x${SHA}`,
    ])
      assert.match(faultOf(hash) ?? '', /expected/, hash);
  });
});
