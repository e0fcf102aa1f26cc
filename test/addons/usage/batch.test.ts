import assert from 'node:assert/strict';
import fs, { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import type { Batch, Outcome } from '../../../addons/usage/file-thread.ts';
import { makeFolder, ROOT } from '../../proxy-process.ts';

const { writeBatch } = await import(path.join(ROOT, 'addons/usage/batch.mjs'));
const { RecordJournal } = await import(path.join(ROOT, 'addons/usage/record-journal.mjs'));

/** The folder of the journal and the one above it, when it is new. */
const FOLDERS_FORCED = 2;

describe('a batch of files', () => {
  let logs: string;
  let journal: { append(files: readonly object[]): boolean; close(): Promise<void> };
  beforeEach(() => {
    logs = makeFolder();
    journal = new RecordJournal({ logs, worker: 1 });
  });
  afterEach(async () => {
    mock.restoreAll();
    syncBuiltinESMExports();
    await journal.close();
    rmSync(logs, { recursive: true });
  });

  const place = (name: string) => path.join(logs, 'usage/alice/chat', name);
  const write = (names: readonly string[], isSynced = true): Outcome[] => {
    const files = names.map((name) => ({ file: place(name), isSynced, length: name.length }));
    return writeBatch({ files, content: Buffer.from(names.join('')) } satisfies Batch, journal);
  };
  const journals = () => (existsSync(path.join(logs, 'journal')) ? readdirSync(path.join(logs, 'journal')) : []);
  /** Counts how often files are forced to the disk, and fails it on demand. */
  const counting = (fdatasync = fs.fdatasyncSync) => {
    const counts = {
      fdatasync: mock.method(fs, 'fdatasyncSync', fdatasync),
      fsync: mock.method(fs, 'fsyncSync'),
    };
    syncBuiltinESMExports();
    return () => [counts.fdatasync.mock.callCount(), counts.fsync.mock.callCount()];
  };

  it('is forced to the disk at once', () => {
    const forced = counting();
    assert.deepEqual(write(['a', 'bb', 'ccc']), [undefined, undefined, undefined]);
    assert.deepEqual(forced(), [1, FOLDERS_FORCED]);
    write(['d', 'e']);
    assert.deepEqual(forced(), [2, FOLDERS_FORCED]);
    for (const name of ['a', 'bb', 'ccc', 'd', 'e']) assert.equal(readFileSync(place(name), 'utf8'), name);
    assert.equal(readdirSync(place('')).length, 5);
  });

  it('is in a journal that only its owner can read', { skip: process.platform === 'win32' }, () => {
    write(['a']);
    const [name = ''] = journals();
    assert.match(name, new RegExp(`^usage\\.1\\.${process.pid}\\.[0-9a-f]{8}\\.journal$`));
    assert.equal(statSync(path.join(logs, 'journal', name)).mode & 0o777, 0o600);
    assert.equal(statSync(path.join(logs, 'journal')).mode & 0o777, 0o700);
  });

  it('is in no journal, and not forced to the disk, where it need not be', () => {
    const forced = counting();
    write(['a', 'b'], false);
    assert.deepEqual(forced(), [0, 0]);
    assert.deepEqual(journals(), []);
  });

  it('is forced to the disk file by file where there can be no journal', () => {
    writeFileSync(path.join(logs, 'journal'), '');
    const forced = counting();
    assert.deepEqual(write(['a', 'b']), [undefined, undefined]);
    assert.deepEqual(forced(), [0, 2]);
    rmSync(path.join(logs, 'journal'));
    write(['c']);
    assert.deepEqual(forced(), [0, 3], 'it is not tried again at once');
  });

  it('is forced to the disk file by file when the journal cannot be', async () => {
    const forced = counting(() => {
      throw Object.assign(new Error('ENOSPC: no space left on device, fdatasync'), { code: 'ENOSPC' });
    });
    assert.deepEqual(write(['a', 'b']), [undefined, undefined]);
    assert.deepEqual(forced(), [1, FOLDERS_FORCED + 2]);
    await journal.close();
    assert.deepEqual(journals(), []);
    assert.equal(readFileSync(place('b'), 'utf8'), 'b');
  });

  it('is written but for what cannot be, of which nothing is in the journal', () => {
    makeFolder({ 'usage/bob': '' }, logs);
    const bob = { file: path.join(logs, 'usage/bob/chat/of bob'), isSynced: true, length: 3 };
    const alice = { file: place('of alice'), isSynced: true, length: 5 };
    const [ofBob, ofAlice] = writeBatch({ files: [bob, alice], content: Buffer.from('bobalice') }, journal);
    assert.deepEqual([ofBob.code, ofAlice], ['ENOTDIR', undefined]);
    const text = readFileSync(path.join(logs, 'journal', journals()[0] ?? ''), 'utf8');
    assert.ok(text.includes('of alice') && !text.includes('of bob'), text);
  });
});
