import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { joinAccounts } from '../../../addons/auth/accounts.ts';

const NONE = { users: [], groups: {}, disabled: [] };
const join = (parts: Partial<Parameters<typeof joinAccounts>[0]>) => {
  const all = { options: NONE, passwords: new Map(), htpasswd: new Map(), groups: new Map(), ...parts };
  return joinAccounts(all);
};

describe('accounts', () => {
  it('are those of the config, of the htpasswd file, and those that the password file makes', () => {
    const { byName } = join({
      options: { ...NONE, users: ['alice', 'new'] },
      passwords: new Map<string, unknown>([
        ['alice', 'a'],
        ['bob', { password: 'b' }],
        ['left over', 'c'],
      ]),
      htpasswd: new Map([['dave', '{SHA}x']]),
    });
    assert.deepEqual(
      [...byName.values()].map(({ name, source, secret }) => [name, source, secret]),
      [
        ['bob', 'user_auth.json', { password: 'b' }],
        ['alice', 'config', { password: 'a' }],
        ['new', 'config', undefined],
        ['dave', 'htpasswd', { hash: '{SHA}x' }],
      ],
    );
  });

  it('have the password of the htpasswd file where they are in several places', () => {
    const { byName } = join({
      options: { ...NONE, users: ['alice'] },
      passwords: new Map([['alice', { password: 'a' }]]),
      htpasswd: new Map([['alice', '{SHA}x']]),
    });
    assert.equal(byName.size, 1);
    assert.deepEqual(byName.get('alice')?.secret, { hash: '{SHA}x' });
  });

  it('are in the groups of the config, of the group file and of their own entry, each once', () => {
    const { byName } = join({
      options: { ...NONE, users: ['zoë'.normalize('NFD')], groups: { red: ['zoë'.normalize('NFC'), 'nobody'] } },
      passwords: new Map([['bob', { password: 'b', groups: ['own', 'blue'] }]]),
      groups: new Map([['blue', ['bob', 'zoë'.normalize('NFC')]]]),
    });
    assert.deepEqual(byName.get('zoë'.normalize('NFC'))?.groups, ['red', 'blue']);
    assert.deepEqual(byName.get('bob')?.groups, ['blue', 'own']);
  });

  it('know the hash that takes longest', () => {
    const slow = `$2y$12$${'a'.repeat(53)}`;
    const quick = `$2y$05$${'a'.repeat(53)}`;
    const htpasswd = new Map([
      ['a', quick],
      ['b', slow],
      ['c', '{SHA}nzIm84E2qbwxHtpWDgHFU4og3z8='],
    ]);
    assert.equal(join({ htpasswd }).slowestHash, slow);
    assert.equal(join({}).slowestHash, undefined);
  });
});
