import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readBasic } from '../../../addons/auth/basic.ts';
import { basic } from '../../clients.ts';

describe('credentials of Basic authentication', () => {
  it('end the name at the first colon', () => {
    assert.deepEqual(readBasic(basic('alice', 'a:b:c')), [{ user: 'alice', password: 'a:b:c' }]);
  });

  it('are read as UTF-8 and as Latin-1, where they can be both', () => {
    assert.deepEqual(
      readBasic(basic('zoë', 'pä')).map(({ user }) => user),
      ['zoë', 'zoÃ«'],
    );
    assert.deepEqual(readBasic(basic('zoë', 'pä', 'latin1'))[1], { user: 'zoë', password: 'pä' });
  });

  it('are composed, in whatever code points they come', () => {
    assert.deepEqual(readBasic(basic('zoë'.normalize('NFD'), 'pä'.normalize('NFD')))[0], {
      user: 'zoë'.normalize('NFC'),
      password: 'pä'.normalize('NFC'),
    });
  });

  it('are none in what is no Basic, has no colon, or is longer than any password', () => {
    for (const header of ['', 'Basic', 'Bearer YTpi', 'Basic !!!', 'Basic YWJj', basic('alice', 'x'.repeat(2_000))])
      assert.deepEqual(readBasic(header), [], header.slice(0, 20));
  });
});
