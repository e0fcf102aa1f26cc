import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { LogFile } from '../../core/log-file.ts';
import { eventually, makeFolder } from '../proxy-process.ts';

describe('a log file', () => {
  let folder = '';
  let told: string[] = [];
  beforeEach(() => {
    folder = makeFolder();
    told = [];
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string) => path.join(folder, name);
  const open = (limitBytes = 1_000) =>
    new LogFile({
      file: at('x.log'),
      limitBytes,
      filesKept: 3,
      failing: (error) => told.push((error as NodeJS.ErrnoException).code ?? ''),
      recovered: () => told.push('recovered'),
    });
  const end = (file: LogFile) => new Promise<void>((resolve) => file.end(resolve));

  it('grows by lines, also one that is there, and is its owner’s only', async () => {
    writeFileSync(at('x.log'), 'zero\n', { mode: 0o600 });
    const file = open();
    for (const line of ['one', 'two', 'three']) file.write(`${line}\n`);
    await end(file);
    assert.equal(readFileSync(at('x.log'), 'utf8'), 'zero\none\ntwo\nthree\n');
    assert.equal(statSync(at('x.log')).mode & 0o777, 0o600);
  });

  it('is put aside before it becomes too large; the oldest is dropped', async () => {
    for (let i = 0; i < 5; i++) {
      const file = open(10);
      file.write(`line ${i}\n`);
      await end(file);
    }
    assert.deepEqual(
      readdirSync(folder)
        .sort()
        .map((name) => [name, readFileSync(at(name), 'utf8')]),
      [
        ['x.log', 'line 4\n'],
        ['x1.log', 'line 3\n'],
        ['x2.log', 'line 2\n'],
      ],
    );
  });

  it('that cannot be written says so once, and goes on when it can be', async () => {
    mkdirSync(at('x.log'));
    const file = open();
    for (let i = 0; i < 3; i++) file.write('lost\n');
    await eventually('it fails', () => told.length > 0);
    rmdirSync(at('x.log'));
    await eventually('it goes on', () => {
      file.write('again\n');
      return told.includes('recovered');
    });
    await end(file);
    assert.deepEqual(told, ['EISDIR', 'recovered']);
    assert.match(readFileSync(at('x.log'), 'utf8'), /^(?:again\n)+$/);
  });
});
