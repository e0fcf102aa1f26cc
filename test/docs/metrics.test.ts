import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { add, emptyDay, type Use, useOf } from '../../addons/metrics/day.ts';
import { dayText } from '../../addons/metrics/day-text.ts';
import { insight } from '../addons/metrics/insights.ts';
import { CliProcess, makeFolder, ROOT } from '../proxy-process.ts';
import { readGuide } from './guide.ts';

describe('the page on metrics', () => {
  it('has a config that is taken', async (t) => {
    const folder = makeFolder(readGuide('docs/metrics.md').files);
    t.after(() => rmSync(folder, { recursive: true }));
    const cli = new CliProcess({ args: ['report'], folder, listenByConfig: true });
    await cli.ended;
    assert.match(cli.output, /^insight-dump: report: nothing was counted on \d{4}-\d\d-\d\d, by \S+\n$/);
  });

  it('names all keys of the file', () => {
    const page = readFileSync(path.join(ROOT, 'docs/metrics.md'), 'utf8');
    const day = emptyDay('2026-01-31');
    add(day, useOf(insight({ groups: ['red'] })) as Use);
    const { usage, insight: beside, ...top } = JSON.parse(dayText(day, { timeZone: 'UTC', journal: 1 }));
    const { insight: own, ...seed } = usage.alice;
    const keys = [top, seed, own, own.tokens, own.acceptance, own.latency.chat.first_token_ms, beside.teams.red];
    for (const key of keys.flatMap((each) => Object.keys(each)))
      assert.match(page, new RegExp(`\`[^\`\n]*\\b${key}\\b[^\`\n]*\``), key);
  });
});
