import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Use, useOf } from '../../../addons/metrics/day.ts';
import { appendJournal, journalDates, journalFile, type Line, readJournal } from '../../../addons/metrics/journal.ts';
import { makeFolder } from '../../proxy-process.ts';
import { insight } from './insights.ts';

describe('the journal', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = path.join(makeFolder(), 'metrics');
    file = journalFile(folder, '2026-01-31');
  });
  afterEach(() => rmSync(path.dirname(folder), { recursive: true }));

  const line = (n: number, editor = 'vscode-1') => ({ n, use: useOf(insight({ id: `id-${n}`, editor })) as Use });
  const read = async () => {
    const lines: Line[] = [];
    for await (const each of readJournal(file)) lines.push(each);
    return lines;
  };
  const numbers = async () => (await read()).map((each) => ('n' in each ? each.n : 'end'));

  it('has what was added, in its order, for nobody else to read', async () => {
    const lines = [line(1), line(2), { endMs: 5 }, { rebuiltWith: 'id-9' }, line(3)];
    await appendJournal(file, lines.slice(0, 2));
    await appendJournal(file, lines.slice(2));
    assert.deepEqual(await read(), lines);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(await journalDates(folder), ['2026-01-31']);
  });

  it('is empty where there is none', async () => {
    assert.deepEqual(await read(), []);
    assert.deepEqual(await journalDates(folder), []);
  });

  it('passes over lines that are torn or damaged, and has those behind them', async () => {
    await appendJournal(file, [line(1)]);
    const whole = readFileSync(file, 'utf8');
    for (const torn of ['{', 'null', '[]', '{"n":-1}', '{"n":2,"use":{}}', whole.slice(0, whole.length / 2)]) {
      appendFileSync(file, `\n${torn}`);
    }
    await appendJournal(file, [line(2)]);
    assert.deepEqual(await numbers(), [1, 2]);
  });

  it('has a batch once that was written again, since it could be written in part only', async () => {
    await appendJournal(file, [line(1), line(2)]);
    appendFileSync(file, '\n{"n":3,"us');
    await appendJournal(file, [line(2), line(3), line(4)]);
    assert.deepEqual(await numbers(), [1, 2, 3, 4]);
  });

  it('keeps names whole that have separators of lines in them', async () => {
    const odd = line(1, 'a\u2028b\u2029c\nd\re');
    await appendJournal(file, [odd]);
    assert.deepEqual(await read(), [odd]);
  });

  it('says what keeps it from being written', async () => {
    mkdirSync(file, { recursive: true });
    await assert.rejects(appendJournal(file, [line(1)]), /EISDIR/);
  });
});
