import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { readRecords } from '../../../core/copilot/record-reader.ts';
import { makeFolder } from '../../proxy-process.ts';

const DAY_MS = 86_400_000;
const NOON_MS = Date.parse('2026-03-05T12:00:00Z');
const DAY = { fromMs: NOON_MS - DAY_MS / 2, untilMs: NOON_MS + DAY_MS / 2 };

const record = (id: string, endMs = NOON_MS, user = 'alice') => ({
  insight: { id, user, endMs, counted: { as: 'turn' } },
});
const line = (id: string, endMs?: number) => `${JSON.stringify(record(id, endMs))}\n`;
const nameAt = (ms: number, tail = 'm_10.0.0.1_vscode-1') =>
  `${new Date(ms).toISOString().slice(0, -1).replaceAll(':', '-')}000_${tail}.json`;

describe('the reader of records', () => {
  let logs: string;
  beforeEach(() => {
    logs = makeFolder();
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const put = (file: string, content: string | Uint8Array) => {
    const whole = path.join(logs, 'usage', file);
    mkdirSync(path.dirname(whole), { recursive: true });
    writeFileSync(whole, content);
    return whole;
  };
  const read = async (range = DAY) => {
    const records = readRecords(logs, range);
    const ids: string[] = [];
    for await (const { insight } of records) ids.push(insight.id);
    return { ids: ids.sort(), skipped: records.skipped };
  };

  it('has nothing where nothing was recorded', async () => {
    assert.deepEqual(await read(), { ids: [], skipped: 0 });
  });

  it('reads both formats, packed or not, of all users and kinds', async () => {
    put(`alice/chat/${nameAt(NOON_MS)}`, JSON.stringify(record('a'), null, 2));
    put('alice/other/2026-03-05.ndjson', line('b') + line('c'));
    put('bob/completions/2026-03-05.1.ndjson.gz', gzipSync(line('d') + line('e')));
    assert.deepEqual(await read(), { ids: ['a', 'b', 'c', 'd', 'e'], skipped: 0 });
  });

  it('goes by when the exchange ended, from the first moment up to the last, which is not in it', async () => {
    const { fromMs, untilMs } = DAY;
    for (const [id, ms] of Object.entries({ before: fromMs - 1, first: fromMs, last: untilMs - 1, after: untilMs }))
      put(`alice/chat/${nameAt(ms)}`, JSON.stringify(record(id, ms)));
    put('alice/chat/2026-03-04.ndjson', line('early', fromMs - 1));
    put('alice/chat/2026-03-06.ndjson', line('late', untilMs));
    assert.deepEqual(await read(), { ids: ['first', 'last'], skipped: 0 });
    assert.deepEqual((await read({ fromMs: 0, untilMs: fromMs })).ids, ['before', 'early']);
  });

  it('finds a file that is named by a time beside its own', async () => {
    put(`alice/chat/${nameAt(DAY.untilMs + 1)}`, JSON.stringify(record('a', DAY.untilMs - 1)));
    assert.deepEqual((await read()).ids, ['a']);
  });

  it('passes over what is torn, damaged or no record, and counts it', async () => {
    put('alice/chat/2026-03-05.ndjson', `${line('a')}{"insight":{"id":"torn"\n${line('b')}${line('c').slice(0, 30)}`);
    put('alice/chat/2026-03-05.1.ndjson', '[]\nnull\n{"insight":{}}\n\n\n');
    put(`alice/chat/${nameAt(NOON_MS)}`, '');
    const packed = gzipSync(line('d'));
    put('bob/chat/2026-03-05.ndjson.gz', packed.subarray(0, packed.length - 12));
    put('bob/chat/2026-03-05.1.ndjson.gz', 'not packed at all');
    const { ids, skipped } = await read();
    assert.deepEqual(
      ids.filter((id) => id !== 'd'),
      ['a', 'b'],
    );
    assert.equal(skipped, 8);
  });

  it('takes only line feeds for the end of a line', async () => {
    put('alice/chat/2026-03-05.ndjson', line('a\u2028b\u2029c\u0085d') + line('ü'.repeat(70_000)));
    assert.deepEqual(await read(), { ids: ['a\u2028b\u2029c\u0085d', 'ü'.repeat(70_000)], skipped: 0 });
  });

  it('finds files by whatever the rest of their names is, with separators of lines in it as well', async () => {
    put(`alice/chat/${nameAt(NOON_MS, 'm_10.0.0.1_a\u2028b\u2029c')}`, JSON.stringify(record('a')));
    assert.deepEqual(await read(), { ids: ['a'], skipped: 0 });
  });

  it('follows no link, and does not look at files that no recorder names so', async () => {
    const outside = put('../outside.json', line('x'));
    put('alice/chat/notes.json', line('x'));
    put(`alice/chat/${nameAt(NOON_MS)}.123456`, line('x'));
    put('alice/chat/2026-03-05.ndjson.gz.tmp', line('x'));
    symlinkSync(outside, path.join(logs, 'usage/alice/chat', nameAt(NOON_MS)));
    symlinkSync(path.join(logs, 'usage/alice'), path.join(logs, 'usage/eve'));
    assert.deepEqual(await read(), { ids: [], skipped: 0 });
  });

  it('reads what is packed meanwhile once', async () => {
    const lines = Array.from({ length: 5_000 }, (_, i) => line(`${i}`)).join('');
    const plain = put('alice/chat/2026-03-05.ndjson', lines);
    let count = 0;
    for await (const _ of readRecords(logs, DAY)) {
      if (count === 0) {
        put('alice/chat/2026-03-05.ndjson.gz', gzipSync(lines));
        unlinkSync(plain);
      }
      count += 1;
    }
    assert.equal(count, 5_000);
  });

  it('reads what is there twice, packed and not, once', async () => {
    put('alice/chat/2026-03-05.ndjson', line('a'));
    put('alice/chat/2026-03-05.ndjson.gz', gzipSync(line('a')));
    assert.deepEqual(await read(), { ids: ['a'], skipped: 0 });
  });

  it('says that a folder cannot be read', async () => {
    writeFileSync(path.join(logs, 'usage'), '');
    await assert.rejects(read(), { code: 'ENOTDIR' });
  });
});
