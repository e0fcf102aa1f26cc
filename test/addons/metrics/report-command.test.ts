import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { options } from '../../../addons/metrics/context.ts';
import { add, emptyDay, type Use, useOf } from '../../../addons/metrics/day.ts';
import { writeDay } from '../../../addons/metrics/day-file.ts';
import { reportCommand } from '../../../addons/metrics/report-command.ts';
import type { Insight } from '../../../core/copilot/record.ts';
import { makeFolder } from '../../proxy-process.ts';
import { insight } from './insights.ts';

class Usage extends Error {
  override readonly name = 'Usage';
}

describe('the command report', () => {
  let logs: string;
  beforeEach(() => {
    logs = makeFolder();
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const write = async (date: string, ...some: readonly Insight[]) => {
    const day = emptyDay(date);
    for (const each of some) add(day, useOf(each) as Use);
    await writeDay(path.join(logs, 'metrics'), day, { timeZone: 'UTC', journal: 0 });
  };
  const report = (...args: readonly string[]) =>
    reportCommand(args, {
      options: options.parse({}),
      paths: { logs, confdir: logs, config: logs },
      listen: { host: '127.0.0.1', port: 8080 },
      usage: (message) => new Usage(message),
    });
  const json = async (...args: readonly string[]) => JSON.parse(await report(...args, '--format', 'json'));

  it('prints a table of a day by user', async () => {
    await write(
      '2026-01-31',
      insight(),
      insight({ user: 'bob\u001b[2J', tokens: { ...insight().tokens, prompt: 12_345 } }),
    );
    const [head = '', alice = '', bob = ''] = (await report('2026-01-31')).replace(/ {2,}/g, '  ').split('\n');
    assert.match(head, /^USER {2}TURNS {2}STEPS {2}/);
    assert.match(alice, /^alice {2}1 {2}0 {2}.* {2}100 {2}20 {2}- {2}/);
    assert.match(bob, /^bob·\[2J {2}1 {2}.* {2}12,345 {2}20 {2}/);
  });

  it('is of today when no day is said', async () => {
    const endMs = Date.now();
    await write(new Date(endMs).toISOString().slice(0, 10), insight({ endMs }));
    assert.deepEqual((await json()).length, 1);
  });

  it('sums up several days', async () => {
    for (const date of ['2026-01-30', '2026-01-31', '2026-02-01']) await write(date, insight());
    const turns = async (...args: readonly string[]) => (await json(...args))[0].turns;
    assert.equal(await turns('--from', '2026-01-31', '--to', '2026-02-01'), 2);
    assert.equal(await turns('--from', '2026-01-31'), 2);
    assert.equal(await turns('--to', '2026-01-31'), 2);
    const lines = (await report('--to', '2026-01-31', '--format', 'ndjson')).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).day),
      ['2026-01-30', '2026-01-31'],
    );
  });

  it('is by whatever exchanges have in common', async () => {
    await write(
      '2026-01-31',
      insight({ groups: ['red'], model: 'm1', language: 'go', editor: 'e1' }),
      insight({ groups: ['red', 'blue'], model: 'm2', language: 'go', editor: 'e1', user: 'bob' }),
    );
    const by = async (what: string) =>
      (await json('2026-01-31', '--by', what)).map((row: Record<string, unknown>) => [row[what], row.turns]);
    assert.deepEqual(await by('user'), [
      ['alice', 1],
      ['bob', 1],
    ]);
    assert.deepEqual(await by('team'), [
      ['blue', 1],
      ['red', 2],
    ]);
    assert.deepEqual(await by('model'), [
      ['m1', 1],
      ['m2', 1],
    ]);
    assert.deepEqual(await by('language'), [['go', 2]]);
    assert.deepEqual(await by('editor'), [['e1', 2]]);
  });

  it('writes CSV that is whole, and that no spreadsheet calculates with', async () => {
    await write('2026-01-31', insight({ editor: '=1+1' }), insight({ editor: 'a,"b"\nc' }), insight({ editor: '@x' }));
    const text = await report('2026-01-31', '--by', 'editor', '--format', 'csv');
    assert.match(text, /^editor,turns,steps,/);
    assert.match(text, /\r\n'=1\+1,1,0,/);
    assert.match(text, /\r\n'@x,1,0,/);
    assert.match(text, /\r\n"a,""b""\nc",1,0,/);
  });

  it('says in one line when there is nothing', async () => {
    await assert.rejects(report('2026-01-31'), /^Error: nothing was counted on 2026-01-31, by \S+$/);
    await assert.rejects(report('--to', '2026-01-31'), /nothing was counted from the beginning to 2026-01-31/);
    await write('2026-01-31', insight());
    await assert.rejects(report('2026-01-31', '--by', 'team'), /^Error: nobody who was counted was in a team$/);
    await assert.rejects(report('2026-01-31', '--rebuild'), /^Error: there are no records of 2026-01-31/);
  });

  it('says how a damaged file is made again, and leaves it where it is', async () => {
    const file = path.join(logs, 'metrics/copilot-usage_2026-01-31.json');
    mkdirSync(path.dirname(file));
    writeFileSync(file, '{"usage"');
    await assert.rejects(report('2026-01-31'), /is damaged .*: report 2026-01-31 --rebuild$/);
    assert.ok(existsSync(file));
  });

  it('says what is wrong with what it is told', async () => {
    for (const [args, expected] of [
      [['yesterday'], /expected a day as in 2026-01-31, not "yesterday"/],
      [['2026-02-30'], /expected a day/],
      [['2026-01-30', '2026-01-31'], /expected one day/],
      [['2026-01-30', '--to', '2026-01-31'], /not both/],
      [['--from', '2026-01-31', '--to', '2026-01-30'], /is after/],
      [['--from', '2026-01-30', '--rebuild'], /one day again/],
      [['--by', 'mood'], /--by: expected one of user, team, model, language, editor, not "mood"/],
      [['--format', 'xml'], /--format: expected one of table, json, csv, ndjson, not "xml"/],
      [['--format', 'ndjson', '--by', 'team'], /by user/],
    ] as const)
      await assert.rejects(report(...args), (error) => error instanceof Usage && expected.test(error.message));
    await assert.rejects(report('--loud'), { code: 'ERR_PARSE_ARGS_UNKNOWN_OPTION' });
    assert.match(await report('--help'), /^insight-dump report \[DAY\]/);
  });
});
