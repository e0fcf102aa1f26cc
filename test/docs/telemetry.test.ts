import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { testScript } from '../kit.ts';
import { CliProcess, makeFolder, ROOT } from '../proxy-process.ts';
import { readGuide } from './guide.ts';

const PAGE = 'docs/telemetry.md';
const { files } = readGuide(PAGE);

describe('the page on telemetry', () => {
  it('has a config and an addon that work', async (t) => {
    const folder = makeFolder(files);
    t.after(() => rmSync(folder, { recursive: true }));
    const cli = new CliProcess({ args: ['--options'], folder, listenByConfig: true });
    assert.equal(await cli.ended, 0, cli.output);
    assert.match(cli.output, /^telemetry:\n/m);
    await (await testScript(path.join(folder, 'less-telemetry.ts'))).stop();
  });

  it('tells of each mode', () => {
    const page = readFileSync(path.join(ROOT, PAGE), 'utf8');
    for (const mode of ['off', 'counts', 'full']) assert.ok(page.includes(`\n| \`${mode}\` |`), mode);
  });
});
