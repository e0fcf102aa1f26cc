import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { options } from '../../addons/budgets/options.ts';
import { CliProcess, makeFolder, ROOT } from '../proxy-process.ts';
import { readGuide } from './guide.ts';

const { files, commands } = readGuide('docs/budgets.md');

describe('the page on budgets', () => {
  it('has a command that works with its config', async (t) => {
    const folder = makeFolder({ 'addons.config.ts': files['addons.config.ts'] ?? '' });
    t.after(() => rmSync(folder, { recursive: true }));
    assert.deepEqual(commands, ['npx insight-dump budgets']);
    const cli = new CliProcess({ args: ['budgets'], folder, listenByConfig: true });
    assert.equal(await cli.ended, 0, cli.output);
    assert.match(cli.output, /^alice +0 +0 +0 of 1,000,000 +0 of 20$/m);
  });

  it('names all options', () => {
    const page = readFileSync(path.join(ROOT, 'docs/budgets.md'), 'utf8');
    for (const option of Object.keys(options.shape)) assert.ok(page.includes(option), option);
  });
});
