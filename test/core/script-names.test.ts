import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameScripts } from '../../core/script-names.ts';

describe('the names of scripts', () => {
  for (const [files, names] of [
    [
      ['/x/auth.ts', '/x/usage.mjs', '/x/y.z.ts'],
      ['auth', 'usage', 'y.z'],
    ],
    [['/x/dashboard/index.ts'], ['dashboard']],
    [
      ['/a/foo.ts', '/b/foo.ts', '/a/bar.ts'],
      ['a/foo', 'b/foo', 'bar'],
    ],
    [
      ['/x/a/foo.ts', '/y/a/foo.ts'],
      ['x/a/foo', 'y/a/foo'],
    ],
    [
      ['/x/foo/index.ts', '/x/foo.ts'],
      ['/x/foo', '/x/foo'],
    ],
    [
      ['/a/foo.ts', '/a/foo.js'],
      ['/a/foo', '/a/foo'],
    ],
    [[], []],
  ] as const) {
    it(`are ${names.join(', ') || 'none'} for ${files.join(', ') || 'none'}`, () =>
      assert.deepEqual(nameScripts(files), names));
  }
});
