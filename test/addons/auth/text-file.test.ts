import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { editTextFile, readTextFile } from '../../../addons/auth/text-file.ts';
import { makeFolder } from '../../proxy-process.ts';

describe('a text file', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = makeFolder();
    file = path.join(folder, 'file');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is read as UTF-8 without its mark, or as Latin-1 where it cannot be that', async () => {
    writeFileSync(file, '\ufeffzoë');
    assert.equal(await readTextFile(file), 'zoë');
    writeFileSync(file, Buffer.from('zoë', 'latin1'));
    assert.equal(await readTextFile(file), 'zoë');
  });

  it('is named when it cannot be read', async () => {
    await assert.rejects(readTextFile(file), ({ message, code }: NodeJS.ErrnoException) => {
      assert.match(message, /^cannot read .*file: ENOENT/);
      return code === 'ENOENT';
    });
    await assert.rejects(readTextFile(folder), /^Error: cannot read .*: EISDIR/);
  });

  it('is edited by many at once without the loss of an edit', async () => {
    await Promise.all(Array.from({ length: 20 }, () => editTextFile(file, (text) => `${text}x`)));
    assert.equal(readFileSync(file, 'utf8'), 'x'.repeat(20));
    assert.deepEqual(readdirSync(folder), ['file']);
  });

  it('is for its owner only when it is new, and keeps its mode when it is not', async () => {
    await editTextFile(path.join(folder, 'new', 'file'), () => 'x');
    assert.equal(statSync(path.join(folder, 'new', 'file')).mode & 0o777, 0o600);
    assert.equal(statSync(path.join(folder, 'new')).mode & 0o777, 0o700);
    writeFileSync(file, '');
    chmodSync(file, 0o640);
    await editTextFile(file, () => 'x');
    assert.equal(statSync(file).mode & 0o777, 0o640);
  });

  it('stays as it is when an edit fails, or changes nothing', async () => {
    writeFileSync(file, 'x');
    const before = statSync(file);
    const fails = () => {
      throw new Error('no');
    };
    await assert.rejects(editTextFile(file, fails), /no/);
    await editTextFile(file, () => undefined);
    await editTextFile(file, (text) => text);
    assert.equal(statSync(file).ino, before.ino);
    assert.deepEqual(readdirSync(folder), ['file']);
  });

  it('is edited although somebody who edited it is gone', async () => {
    writeFileSync(`${file}.lock`, '');
    const longAgo = Date.now() / 1_000 - 60;
    utimesSync(`${file}.lock`, longAgo, longAgo);
    await editTextFile(file, () => 'x');
    assert.equal(readFileSync(file, 'utf8'), 'x');
  });
});
