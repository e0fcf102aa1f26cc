import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { eventually, makeFolder, ROOT } from '../../proxy-process.ts';

const { RecordJournal } = await import(path.join(ROOT, 'addons/usage/record-journal.mjs'));

const MAX_AGE_MS = 30_000;
const MIB = 1024 * 1024;
/** More than are settled one by one where they need not be. */
const MANY = 300;

describe('a journal of records', () => {
  let logs: string;
  let journal: { append(files: readonly object[]): boolean; close(): Promise<void> };
  let searched: string | undefined;
  beforeEach(() => {
    logs = makeFolder();
    journal = new RecordJournal({ logs, worker: 1 });
    searched = process.env.PATH;
  });
  afterEach(async () => {
    mock.timers.reset();
    process.env.PATH = searched;
    rmSync(logs, { recursive: true });
  });

  const place = () => path.join(logs, 'usage/alice/chat/a.json');
  const append = (bytes: Uint8Array = Buffer.from('{}')) => {
    makeFolder({ 'usage/alice/chat/a.json': '' }, logs);
    return journal.append([{ file: place(), bytes }]);
  };
  const journals = () => (existsSync(path.join(logs, 'journal')) ? readdirSync(path.join(logs, 'journal')) : []);

  it('goes on for one batch after the other', async () => {
    for (let i = 0; i < 10; i++) assert.ok(append());
    assert.equal(journals().length, 1);
    await journal.close();
  });

  it('is gone after its end', async () => {
    append();
    await journal.close();
    assert.deepEqual(journals(), []);
  });

  it('is followed by another when it is large, and gone then', async () => {
    for (let i = 0; i < 4; i++) assert.ok(append(Buffer.alloc(8 * MIB)));
    const [first] = journals();
    append();
    await eventually('the first to be gone', () => !journals().includes(first as string));
    assert.equal(journals().length, 1);
    await journal.close();
  });

  it('is followed by another when somebody has deleted it', { skip: process.platform === 'win32' }, async () => {
    append();
    const [first] = journals();
    rmSync(path.join(logs, 'journal'), { recursive: true });
    assert.ok(append());
    assert.equal(journals().length, 1);
    assert.notEqual(journals()[0], first);
    await journal.close();
  });

  it('is gone when it is old, whether records come or not', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    append();
    mock.timers.tick(MAX_AGE_MS - 1);
    assert.equal(journals().length, 1);
    mock.timers.tick(1);
    mock.timers.reset();
    await eventually('it to be gone', () => journals().length === 0);
    assert.ok(append());
    await journal.close();
  });

  it('is gone as well where the system can be asked for single files only', async () => {
    process.env.PATH = '';
    for (let i = 0; i < MANY; i++) append();
    rmSync(place());
    await journal.close();
    assert.deepEqual(journals(), []);
  });

  for (const [searched, how] of [
    [process.env.PATH, 'at once'],
    ['', 'one by one'],
  ])
    it(`is gone as well when somebody has put a file in the place of a folder, and files are settled ${how}`, async () => {
      process.env.PATH = searched;
      for (let i = 0; i < MANY; i++) append();
      rmSync(path.join(logs, 'usage/alice'), { recursive: true });
      makeFolder({ 'usage/alice': '' }, logs);
      await journal.close();
      assert.deepEqual(journals(), []);
    });

  it('stays while a file of it cannot be forced to the disk', async () => {
    process.env.PATH = '';
    append();
    rmSync(place());
    mkdirSync(place());
    await journal.close();
    assert.equal(journals().length, 1);
  });

  it('is not there for ever more records that cannot be forced to the disk', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    process.env.PATH = '';
    append();
    rmSync(place());
    mkdirSync(place());
    for (let i = 0; i < 4; i++) {
      mock.timers.tick(MAX_AGE_MS);
      if (i < 3) assert.ok(journal.append([{ file: place(), bytes: Buffer.from('{}') }]));
    }
    assert.equal(journal.append([{ file: place(), bytes: Buffer.from('{}') }]), false);
    assert.equal(journals().length, 4);
    await journal.close();
  });
});
