import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { firstState, type UsageContext } from '../../../addons/usage/context.ts';
import { options } from '../../../addons/usage/options.ts';
import { recover, recoverOnce } from '../../../addons/usage/recovery.ts';
import { MemoryLog } from '../../kit.ts';
import { makeFolder, ROOT } from '../../proxy-process.ts';

const format = await import(path.join(ROOT, 'addons/usage/journal-format.mjs'));

const ANOTHER_BOOT = '01234567-89ab-cdef-0123-456789abcdef';
/** One that no process has: none is as high. */
const DEAD_PID = 2 ** 31 - 1;
const ALONE = { number: 1, count: 1 };
const NOTHING = { rewritten: 0, unknown: [], failures: [] };

describe('journals of records that were left behind', () => {
  let logs: string;
  beforeEach(() => {
    logs = makeFolder();
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const journals = () => readdirSync(path.join(logs, 'journal'));
  const place = (name: string) => path.join(logs, name);
  const read = (name: string) => readFileSync(place(name), 'utf8');

  interface Left {
    readonly boot?: string;
    readonly worker?: number;
    readonly pid?: number;
  }
  /** Leaves a journal of batches, of names of files with their text. */
  const leave = (
    batches: readonly Readonly<Record<string, string>>[],
    { boot = ANOTHER_BOOT, worker = 1, pid = DEAD_PID }: Left = {},
  ): string => {
    mkdirSync(path.join(logs, 'journal'), { recursive: true });
    const frames = batches.map((files) =>
      format.frameOf(Object.entries(files).map(([name, text]) => ({ name, bytes: Buffer.from(text) }))),
    );
    const name = format.journalName(worker, pid);
    writeFileSync(path.join(logs, 'journal', name), Buffer.concat([format.headOf(boot), ...frames]));
    return name;
  };

  it('bring back files that are missing, torn or different, and touch no others', async () => {
    const old = new Date('2024-01-01');
    makeFolder({ 'usage/a/chat/same.json': 'same', 'usage/a/chat/torn.json': '', 'usage/b/chat/x.json': '\0\0' }, logs);
    utimesSync(place('usage/a/chat/same.json'), old, old);
    leave([
      { 'usage/a/chat/same.json': 'same', 'usage/a/chat/torn.json': 'torn' },
      { 'usage/b/chat/x.json': 'of b', 'usage/c/other/missing.json': 'mïssing' },
    ]);
    assert.deepEqual(await recover({ logs, worker: ALONE }), { ...NOTHING, rewritten: 3 });
    assert.equal(read('usage/a/chat/same.json'), 'same');
    assert.equal(statSync(place('usage/a/chat/same.json')).mtimeMs, old.getTime());
    assert.equal(read('usage/a/chat/torn.json'), 'torn');
    assert.equal(read('usage/b/chat/x.json'), 'of b');
    assert.equal(read('usage/c/other/missing.json'), 'mïssing');
    assert.deepEqual(readdirSync(place('usage/a/chat')).sort(), ['same.json', 'torn.json']);
    assert.deepEqual(journals(), []);
  });

  it('are read up to a frame that is torn, wherever it is', async () => {
    const whole = { 'usage/a/chat/1.json': '1' };
    const name = leave([whole, { 'usage/a/chat/2.json': '2'.repeat(100) }]);
    const journal = readFileSync(path.join(logs, 'journal', name));
    const first =
      format.headOf(ANOTHER_BOOT).length +
      format.frameOf([{ name: 'usage/a/chat/1.json', bytes: Buffer.from('1') }]).length;
    for (let length = first; length < journal.length; length++) {
      const { boot, files } = format.readJournal(journal.subarray(0, length));
      assert.equal(boot, ANOTHER_BOOT);
      assert.deepEqual(
        files.map((file: { name: string }) => file.name),
        Object.keys(whole),
        `${length} bytes`,
      );
    }
    for (let at = first; at < journal.length; at++) {
      const damaged = Buffer.from(journal);
      damaged[at] = 0;
      assert.equal(format.readJournal(damaged).files.length, 1, `byte ${at}`);
    }
    writeFileSync(path.join(logs, 'journal', name), journal.subarray(0, -1));
    assert.deepEqual(await recover({ logs, worker: ALONE }), { ...NOTHING, rewritten: 1 });
    assert.deepEqual(readdirSync(place('usage/a/chat')), ['1.json']);
    assert.deepEqual(journals(), []);
  });

  it('bring back nothing if the system has not been started anew: what is missing was deleted', {
    skip: format.bootId() === '-' && 'this system does not say when it was started',
  }, async () => {
    makeFolder({ 'usage/a/chat/edited.json': 'edited' }, logs);
    leave([{ 'usage/a/chat/edited.json': '1', 'usage/a/chat/deleted.json': '2' }], { boot: format.bootId() });
    assert.deepEqual(await recover({ logs, worker: ALONE }), NOTHING);
    assert.equal(read('usage/a/chat/edited.json'), 'edited');
    assert.deepEqual(readdirSync(place('usage/a/chat')), ['edited.json']);
    assert.deepEqual(journals(), []);
  });

  it('bring back everything where nobody knows whether the system has been started anew', async () => {
    leave([{ 'usage/a/chat/1.json': '1' }], { boot: '-' });
    assert.deepEqual(await recover({ logs, worker: ALONE }), { ...NOTHING, rewritten: 1 });
    assert.deepEqual(journals(), []);
  });

  it('stay as they are if they are of a process that lives, and of this boot', async () => {
    leave([{ 'usage/a/chat/1.json': '1' }], { boot: format.bootId(), pid: process.ppid });
    assert.deepEqual(await recover({ logs, worker: ALONE }), NOTHING);
    assert.equal(journals().length, 1);
  });

  it('are gone through if another process has their number now, after a start of the system', async () => {
    leave([{ 'usage/a/chat/1.json': '1' }], { pid: process.ppid });
    assert.deepEqual(await recover({ logs, worker: ALONE }), { ...NOTHING, rewritten: 1 });
    assert.deepEqual(journals(), []);
  });

  it('are those of one worker each, and those of workers that are no more the first one’s', async () => {
    const left = [1, 2, 3, 4].map((worker) => leave([{ [`usage/a/chat/${worker}.json`]: '' }], { worker }));
    await recover({ logs, worker: { number: 2, count: 3 } });
    assert.deepEqual(journals().sort(), [left[0], left[2], left[3]].sort());
    await recover({ logs, worker: { number: 1, count: 3 } });
    assert.deepEqual(journals(), [left[2]]);
    assert.deepEqual(readdirSync(place('usage/a/chat')).sort(), ['1.json', '2.json', '4.json']);
  });

  it('write nothing outside of the folder for logs', async () => {
    leave([{ '../outside.json': '1', 'usage/../../outside.json': '2', 'usage/a/chat/1.json': '3' }]);
    assert.deepEqual(await recover({ logs, worker: ALONE }), { ...NOTHING, rewritten: 1 });
    assert.equal(existsSync(path.join(logs, '../outside.json')), false);
  });

  it('stay for the next start where a file cannot be written, and bring back the others', async () => {
    makeFolder({ 'usage/a': '' }, logs);
    leave([{ 'usage/a/chat/1.json': '1', 'usage/b/chat/2.json': '2' }]);
    const { rewritten, failures } = await recover({ logs, worker: ALONE });
    assert.equal(rewritten, 1);
    assert.match(failures.join(), /ENOTDIR.*usage\/a\/chat/);
    assert.equal(read('usage/b/chat/2.json'), '2');
    assert.equal(journals().length, 1);
    rmSync(place('usage/a'));
    assert.deepEqual(await recover({ logs, worker: ALONE }), { ...NOTHING, rewritten: 1 });
    assert.deepEqual(journals(), []);
  });

  it('are deleted if nothing of them has come to the disk', async () => {
    const [empty, zeros] = [leave([]), leave([])];
    writeFileSync(path.join(logs, 'journal', empty), '');
    writeFileSync(path.join(logs, 'journal', zeros), Buffer.alloc(5000));
    assert.deepEqual(await recover({ logs, worker: ALONE }), NOTHING);
    assert.deepEqual(journals(), []);
  });

  it('are looked for once in a process, and said in a line each of what came of it', async () => {
    const log = new MemoryLog();
    const state = firstState();
    const paths = { logs, confdir: logs, config: logs };
    const context = (number: number): UsageContext => ({
      name: 'usage',
      options: options.parse({}),
      log: log.child(),
      signal: new AbortController().signal,
      state: number === 1 ? state : firstState(),
      paths,
      worker: { number, count: 2, tell() {} },
    });
    leave([{ 'usage/a/chat/1.json': '1' }]);
    makeFolder({ 'journal/notes.txt': 'mine', 'journal/usage.1.1.00000000.journal': 'another format' }, logs);
    mkdirSync(path.join(logs, 'journal/folder'));
    for (const number of [1, 2, 1]) await recoverOnce(context(number));
    assert.deepEqual(
      log.of('warn').map((line) => line.replace(/^\S+ has/, 'there is')),
      [
        '1 records are written again that were not on the disk when power was lost',
        'there is what is no journal of records, and is left alone: folder, notes.txt, usage.1.1.00000000.journal',
      ],
    );
    assert.deepEqual(journals().sort(), ['folder', 'notes.txt', 'usage.1.1.00000000.journal']);
    leave([{ 'usage/a/chat/2.json': '2' }]);
    await recoverOnce(context(1));
    assert.equal(existsSync(place('usage/a/chat/2.json')), false);
  });
});
