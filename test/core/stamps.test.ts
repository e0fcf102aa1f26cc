import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Aspect, Stamps } from '../../core/stamps.ts';
import { makeFolder } from '../proxy-process.ts';

describe('stamps', () => {
  let folder: string;
  let stamps: Stamps;
  beforeEach(() => {
    folder = makeFolder({ 'file.ts': 'one', 'lib/other.ts': '' });
    stamps = new Stamps();
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => path.join(folder, name);

  for (const [what, aspect, name, change, differs] of [
    ['content written with the same size', 'content', 'file.ts', () => writeFileSync(at('file.ts'), 'two'), true],
    ['content whose time of change was set back', 'content', 'file.ts', setBack, true],
    ['a deleted file', 'content', 'file.ts', () => rmSync(at('file.ts')), true],
    ['a file that turns up', 'content', 'new.ts', () => writeFileSync(at('new.ts'), ''), true],
    ['a folder in the place of another', 'place', 'lib', replaceFolder, true],
    ['a new name in a folder', 'names', 'lib', () => writeFileSync(at('lib/new.ts'), ''), true],
    [
      'a new name in a folder of which only the place counts',
      'place',
      'lib',
      () => writeFileSync(at('lib/n'), ''),
      false,
    ],
    ['a change of another file', 'content', 'file.ts', () => writeFileSync(at('lib/other.ts'), 'x'), false],
  ] as const) {
    it(`${differs ? 'see' : 'do not see'} ${what}`, async () => {
      await stamps.take(aspect as Aspect, at(name));
      assert.equal(await stamps.differ(), false);
      change();
      assert.equal(await stamps.differ(), differs);
    });
  }

  it('follow links', async () => {
    symlinkSync('file.ts', at('link.ts'));
    await stamps.take('content', at('link.ts'));
    writeFileSync(at('file.ts'), 'more');
    assert.equal(await stamps.differ(), true);
  });

  it('keep what was noted first, and note anew only when told to', async () => {
    await stamps.take('content', at('file.ts'));
    writeFileSync(at('file.ts'), 'more');
    await stamps.take('content', at('file.ts'));
    assert.equal(await stamps.renew(), true);
    assert.equal(await stamps.renew(), false);
  });

  it('leave out an aspect', async () => {
    await stamps.take('names', at('lib'));
    stamps.drop('names');
    rmSync(at('lib'), { recursive: true });
    assert.equal(await stamps.differ(), false);
  });

  function setBack(): void {
    const { atime, mtime } = statSync(at('file.ts'));
    writeFileSync(at('file.ts'), 'two');
    utimesSync(at('file.ts'), atime, mtime);
  }

  function replaceFolder(): void {
    mkdirSync(at('next'));
    renameSync(at('lib'), at('last'));
    renameSync(at('next'), at('lib'));
  }
});
