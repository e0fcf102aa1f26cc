import assert from 'node:assert/strict';
import { appendFileSync, cpSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stamps } from '../../core/stamps.ts';
import { Watcher, type WatchMode } from '../../core/watch.ts';
import { eventually, makeFolder } from '../proxy-process.ts';

/** Longer than a look and the settling after it. */
const QUIET_MS = 700;

describe('the watcher', () => {
  let folder: string;
  let watcher: Watcher;
  let told: string[];
  beforeEach(() => {
    folder = makeFolder({ 'one.ts': '', 'two.ts': '', 'other.txt': '' });
    told = [];
  });
  afterEach(async () => {
    await watcher.close();
    mock.timers.reset();
    rmSync(folder, { recursive: true });
  });

  const at = (name: string) => path.join(folder, name);
  const start = async (mode: WatchMode) => {
    watcher = new Watcher(
      mode,
      (id) => told.push(id),
      (error) => assert.fail(String(error)),
    );
    for (const [id, files] of [
      ['one', ['one.ts']],
      ['both', ['one.ts', 'two.ts']],
    ] as const) {
      const stamps = new Stamps();
      for (const file of files) await stamps.take('content', at(file));
      watcher.set(id, stamps);
    }
    watcher.begin();
    // Events come once the file system has been asked for them.
    await sleep(200);
  };
  const tells = (...ids: readonly string[]) =>
    eventually(
      () => `told of ${ids}; it was of ${told}`,
      () => told.length >= ids.length,
    ).then(() => assert.deepEqual(told.sort(), [...ids].sort()));

  it('is told by events, without looking', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    await start('events');
    writeFileSync(at('two.ts'), 'saved');
    await tells('both');
  });

  it('is told by events of each of many saves, however soon one comes behind the other', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    await start('events');
    for (let i = 1; i <= 20; i++) {
      writeFileSync(at('two.ts'), 'saved '.repeat(i));
      await eventually(
        () => `save ${i} to be told`,
        () => told.length === i,
      );
    }
  });

  it('has no work with a file beside its own that is written to again and again', async () => {
    for (let i = 0; i < 500; i++) writeFileSync(at(`beside-${i}.txt`), '');
    await start('events');
    const { user, system } = process.cpuUsage();
    for (let i = 0; i < 100; i++) {
      appendFileSync(at('console.txt'), 'a line\n');
      await sleep(10);
    }
    const used = process.cpuUsage({ user, system });
    const usedMs = (used.user + used.system) / 1_000;
    assert.ok(usedMs < 200, `${usedMs} ms of CPU`);
  });

  it('is told by events again of what lies in a folder that was replaced', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    await start('events');
    const moved = `${folder}-moved`;
    renameSync(folder, moved);
    cpSync(moved, folder, { recursive: true });
    // A look finds it.
    mock.timers.tick(500);
    await tells('both', 'one');
    told = [];
    await sleep(200);
    writeFileSync(at('two.ts'), 'saved');
    await tells('both');
    rmSync(moved, { recursive: true });
  });

  for (const mode of ['events', 'poll'] as const) {
    it(`tells each change once, of all that it concerns (${mode})`, async () => {
      await start(mode);
      writeFileSync(at('one.ts'), 'saved');
      await tells('both', 'one');
      await sleep(QUIET_MS);
      assert.equal(told.length, 2);
    });
  }

  it('tells of nothing else, and of nothing that it is to forget', async () => {
    await start('events');
    watcher.delete('one');
    writeFileSync(at('other.txt'), 'saved');
    writeFileSync(at('new.ts'), '');
    await sleep(QUIET_MS);
    assert.deepEqual(told, []);
    writeFileSync(at('one.ts'), 'saved');
    await tells('both');
  });

  it('holds nothing open once it is closed, even if something is set then', async () => {
    const open = () => process.getActiveResourcesInfo().filter((resource) => resource === 'FSEventWrap').length;
    await start('events');
    assert.notEqual(open(), 0);
    const stamps = new Stamps();
    await stamps.take('content', at('one.ts'));
    await watcher.close();
    watcher.set('late', stamps);
    await sleep(200);
    assert.equal(open(), 0);
  });

  it('tells of nothing when it is off', async () => {
    await start('off');
    writeFileSync(at('one.ts'), 'saved');
    await sleep(QUIET_MS);
    assert.deepEqual(told, []);
  });
});
