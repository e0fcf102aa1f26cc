import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { firstState, type State, type UsageContext } from '../../../addons/usage/context.ts';
import { options } from '../../../addons/usage/options.ts';
import type { Item } from '../../../addons/usage/queue.ts';
import { beginWriting, enqueue, enqueueAndWait, finishWriting } from '../../../addons/usage/writing.ts';
import { MemoryLog } from '../../kit.ts';
import { eventually, makeFolder } from '../../proxy-process.ts';

const TEXT = '{"a":1}\n';
const item = (user: string, name = 'x.json', format: Item['format'] = 'json'): Item => ({
  folder: `usage/${user}/chat`,
  name,
  format,
  bytes: Buffer.from(TEXT),
  said: user,
  level: 'info',
});

describe('writing records', () => {
  let logs: string;
  let state: State;
  let log: MemoryLog;
  beforeEach(() => {
    logs = makeFolder();
    state = firstState();
    log = new MemoryLog();
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  /** An instance of the addon: a save makes another with the same state. */
  const instance = (given: object = {}) => {
    const end = new AbortController();
    const paths = { logs, confdir: logs, config: logs };
    const ctx: UsageContext = {
      name: 'usage',
      options: options.parse(given),
      log: log.child(),
      signal: end.signal,
      state,
      paths,
      worker: { number: 1, count: 1, tell() {} },
    };
    const finish = () => {
      end.abort();
      return finishWriting(ctx);
    };
    return { ctx, end: finish };
  };
  const written = (user: string) => path.join(logs, 'usage', user, 'chat');

  it('passes on what could not be written to the instance that follows', async () => {
    writeFileSync(path.join(logs, 'usage'), '');
    const first = instance();
    for (const user of ['alice', 'bob']) enqueue(item(user), first.ctx);
    await first.end();
    assert.match(log.of('error').join('\n'), /^cannot record: .*\n2 exchanges could not be recorded so far$/);
    rmSync(path.join(logs, 'usage'));
    const second = instance();
    beginWriting(second.ctx);
    await second.end();
    assert.ok(existsSync(written('alice')) && existsSync(written('bob')));
    assert.deepEqual(log.of('warn'), ['recording again; 0 exchanges could not be recorded']);
  });

  it('goes on with all others where one folder cannot be written to', async () => {
    makeFolder({ 'usage/alice': '' }, logs);
    const { ctx, end } = instance({ maxQueued: 10 });
    for (let i = 0; i < 30; i++) {
      enqueue(item('alice', `${i}.json`), ctx);
      enqueue(item('bob', `${i}.json`), ctx);
      await eventually('that of bob', () => existsSync(path.join(written('bob'), `${i}.json`)));
    }
    await end();
    assert.equal(readdirSync(written('bob')).length, 30);
    assert.ok(state.queue.dropped >= 20 && state.queue.dropped < 30, String(state.queue.dropped));
  });

  it('is waited for until a record is on the disk', async () => {
    const { ctx, end } = instance();
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        await enqueueAndWait(item('alice', `${i}.json`), ctx);
        assert.ok(existsSync(path.join(written('alice'), `${i}.json`)));
      }),
    );
    await end();
  });

  it('is waited for by a thousand records at most', async () => {
    const { ctx, end } = instance();
    for (let i = 0; i < 1_000; i++) enqueue(item('alice', `${i}.json`), ctx);
    await enqueueAndWait(item('alice', 'last.json'), ctx);
    assert.equal(existsSync(path.join(written('alice'), 'last.json')), false);
    await end();
    assert.equal(readdirSync(written('alice')).length, 1_001);
  });

  it('is not waited for when a record cannot be written now, or is lost', async () => {
    writeFileSync(path.join(logs, 'usage'), '');
    const { ctx, end } = instance({ maxQueued: 1 });
    await enqueueAndWait(item('alice', '1.json'), ctx);
    await enqueueAndWait(item('alice', '2.json'), ctx);
    await enqueueAndWait({ ...item('alice', '3.json'), bytes: Buffer.alloc(70 * 1024 * 1024) }, ctx);
    assert.equal(state.queue.dropped, 2);
    await end();
  });

  for (const fsync of ['never', 'interval', 'always']) {
    it(`writes everything before it ends, forced to the disk ${fsync}`, async () => {
      const { ctx, end } = instance({ fsync });
      for (let i = 0; i < 20; i++) {
        enqueue(item('alice', `${i}.json`), ctx);
        enqueue(item('bob', '2024-03-05', 'ndjson'), ctx);
      }
      await end();
      assert.equal(readdirSync(written('alice')).length, 20);
      assert.equal(readFileSync(path.join(written('bob'), '2024-03-05.ndjson'), 'utf8'), TEXT.repeat(20));
      assert.equal(log.of('info').length, 40);
      assert.deepEqual([state.unsynced.size, state.queue.bytes, log.of('error', 'warn')], [0, 0, []]);
    });
  }
});
