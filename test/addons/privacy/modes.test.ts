import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keepBy, modeOf } from '../../../addons/privacy/modes.ts';

const MODES = {
  default: 'metadata-only',
  users: { alice: 'full', bob: 'off' },
  groups: { red: 'full', blue: 'metadata-only', council: 'off' },
} as const;

describe('modes', () => {
  for (const [what, user, groups, expected] of [
    ['the default, where nothing is said', 'eve', ['green'], 'metadata-only'],
    ['the user’s, over the default', 'alice', [], 'full'],
    ['the group’s, over the default', 'eve', ['red'], 'full'],
    ['the strictest of user and groups', 'alice', ['red', 'blue'], 'metadata-only'],
    ['the strictest of groups', 'eve', ['red', 'council', 'blue'], 'off'],
    ['the user’s, where that is strictest', 'bob', ['red'], 'off'],
    ['the default, for names that each object has', 'constructor', ['toString', '__proto__'], 'metadata-only'],
  ] as const) {
    it(`are ${what}`, () => assert.equal(modeOf(user, groups, MODES), expected));
  }

  it('never let more be kept than another addon does', () => {
    const keeps = ['all', 'metadata', 'nothing'] as const;
    const modes = ['full', 'metadata-only', 'off'] as const;
    const table = keeps.map((keep) => modes.map((mode) => keepBy(mode, keep)));
    assert.deepEqual(table, [
      ['all', 'metadata', 'nothing'],
      ['metadata', 'metadata', 'nothing'],
      ['nothing', 'nothing', 'nothing'],
    ]);
  });
});
