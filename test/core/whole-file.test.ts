import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { writeWholeFile } from '../../core/whole-file.ts';

describe('a file that is written whole', () => {
  let folder = '';
  const at = (name: string) => path.join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'insight-dump-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is new, or in the place of the old one, with its mode', async () => {
    await writeWholeFile(at('a'), 'one', { mode: 0o600 });
    assert.equal(statSync(at('a')).mode & 0o777, 0o600);
    await writeWholeFile(at('a'), Buffer.from('two'), { mode: 0o644 });
    assert.equal(readFileSync(at('a'), 'utf8'), 'two');
    assert.equal(statSync(at('a')).mode & 0o777, 0o644);
    assert.deepEqual(readdirSync(folder), ['a']);
  });

  it('replaces nothing where it is to be new', async () => {
    const tries = ['one', 'two', 'three'].map((text) => writeWholeFile(at('a'), text, { mode: 0o600, isNew: true }));
    const ends = await Promise.allSettled(tries);
    const [first] = ends.flatMap(({ status }, i) => (status === 'fulfilled' ? ['one', 'two', 'three'][i] : []));
    assert.equal(readFileSync(at('a'), 'utf8'), first);
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? end.reason.code : []));
    assert.deepEqual(codes, ['EEXIST', 'EEXIST']);
    assert.deepEqual(readdirSync(folder), ['a']);
  });

  it('is what a link leads to, which stays a link', async () => {
    writeFileSync(at('target'), 'old');
    symlinkSync(at('target'), at('link'));
    await writeWholeFile(at('link'), 'new', { mode: 0o600 });
    assert.ok(lstatSync(at('link')).isSymbolicLink());
    assert.equal(readFileSync(at('target'), 'utf8'), 'new');
  });

  it('is one of those that were written at once', async () => {
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(100_000));
    await Promise.all(texts.map((text) => writeWholeFile(at('a'), text, { mode: 0o600 })));
    assert.ok(texts.includes(readFileSync(at('a'), 'utf8')));
    assert.deepEqual(readdirSync(folder), ['a']);
  });

  it('leaves nothing behind when it cannot be written', async () => {
    await assert.rejects(writeWholeFile(at('none/a'), 'x', { mode: 0o600 }), { code: 'ENOENT' });
    mkdirSync(at('taken'));
    await assert.rejects(writeWholeFile(at('taken'), 'x', { mode: 0o600 }), { code: 'EISDIR' });
    assert.deepEqual(readdirSync(folder), ['taken']);
  });
});
