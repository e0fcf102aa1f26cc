import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isoMicros } from '../../core/copilot/record.ts';
import {
  jsonName,
  ndjsonName,
  type RecordRange,
  readRecordName,
  recordFiles,
  recordFolder,
} from '../../core/copilot/record-files.ts';
import { makeFolder } from '../proxy-process.ts';
import { anyCharacter } from './arbitraries.ts';

/** Names as clients could choose them, to lead somewhere else or to meet another's. */
const name = fc.oneof(
  fc.string({ unit: anyCharacter }),
  fc.string({ unit: fc.constantFrom('.', '/', '\\', '%', '2', 'E', 'F', ':', '~', '_', '*', '\0') }),
  fc.string({ unit: 'grapheme', minLength: 100, maxLength: 400 }),
);
/** All that is exact: up to the year 2255. */
const micros = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });

describe('the names of records', () => {
  it('give each user a folder of their own, one level deep, that a file system takes', () => {
    fc.assert(
      fc.property(name, name, (one, other) => {
        const [, user = '', ...rest] = recordFolder(one, 'turn').split(path.sep);
        assert.deepEqual(rest, ['chat']);
        assert.notEqual(user, '');
        assert.ok(!['.', '..'].includes(user) && !/[/\\:*?"<>|\p{Cc}]/u.test(user), user);
        assert.ok(Buffer.byteLength(user) <= 255, user);
        if (one !== other) assert.notEqual(recordFolder(one, 'turn'), recordFolder(other, 'turn'));
      }),
      { numRuns: 2_000 },
    );
  });

  it('say when what is in a file ended, whatever the client is called', () => {
    fc.assert(
      fc.property(micros, name, name, name, (at, machine, address, editor) => {
        const file = jsonName(isoMicros(at), machine, address, editor);
        assert.ok(Buffer.byteLength(file) <= 240 && path.basename(file) === file, file);
        const read = readRecordName(file);
        assert.ok(read !== undefined && read.fromMs <= at / 1000 && at / 1000 < read.untilMs, file);
        assert.equal(read.isPartial, false);
        assert.equal(readRecordName(`${file}.123`)?.isPartial, true);
        assert.equal(readRecordName(`${file}.${randomUUID()}.tmp`)?.isPartial, true);
        const line = readRecordName(ndjsonName(read.date, at % 3));
        assert.ok(line !== undefined && line.fromMs <= at / 1000 && at / 1000 < line.untilMs);
      }),
      { numRuns: 1_000 },
    );
  });

  it('are nobody else’s', () => {
    for (const file of [
      '2024-03-05.json',
      '2024-13-05.ndjson',
      'x2024-03-05.ndjson',
      '2024-03-05.ndjson.bak',
      '.json',
      '',
    ])
      assert.equal(readRecordName(file), undefined, file);
  });
});

describe('the files of records', () => {
  const MIDNIGHT_MS = Date.parse('2026-03-05T00:00:00Z');
  /** Around midnight, and long before and after. */
  const time = fc.oneof(
    fc.integer({ min: MIDNIGHT_MS - 3_000, max: MIDNIGHT_MS + 3_000 }),
    fc.integer({ min: MIDNIGHT_MS - 2 * 86_400_000, max: MIDNIGHT_MS + 2 * 86_400_000 }),
    fc.constantFrom(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY),
  );

  it('of a range are those, of all there are, that may have something of it', async () => {
    const logs = makeFolder();
    try {
      const folder = path.join(logs, recordFolder('alice', 'turn'));
      mkdirSync(folder, { recursive: true });
      for (let ms = -2 * 86_400_000; ms < 2 * 86_400_000; ms += Math.abs(ms) < 5_000 ? 250 : 3_600_000)
        writeFileSync(path.join(folder, jsonName(isoMicros((MIDNIGHT_MS + ms) * 1000), 'm', '::1', 'vscode-1')), '');
      for (const date of ['2026-03-03', '2026-03-04', '2026-03-05', '2026-03-06'])
        writeFileSync(path.join(folder, ndjsonName(date, 1)), '');
      const find = async (range?: RecordRange) => {
        const found = [];
        for await (const file of recordFiles(logs, range)) found.push(file);
        return found.sort((one, other) => (one.path < other.path ? -1 : 1));
      };
      const all = await find();
      await fc.assert(
        fc.asyncProperty(time, time, async (fromMs, untilMs) => {
          const those = all.filter((file) => file.untilMs > fromMs && file.fromMs < untilMs);
          assert.deepEqual(await find({ fromMs, untilMs }), those);
        }),
        { numRuns: 300 },
      );
    } finally {
      rmSync(logs, { recursive: true });
    }
  });
});
