import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { isoMicros } from '../../core/copilot/record.ts';
import { jsonName, ndjsonName, readRecordName, recordFolder } from '../../core/copilot/record-files.ts';

/** Names as clients could choose them, to lead somewhere else or to meet another's. */
const name = fc.oneof(
  fc.string({ unit: 'binary' }),
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
