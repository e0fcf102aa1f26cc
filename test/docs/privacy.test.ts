import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { options as privacy } from '../../addons/privacy/options.ts';
import { options as usage } from '../../addons/usage/options.ts';
import { CliProcess, makeFolder, ROOT } from '../proxy-process.ts';
import { readGuide } from './guide.ts';

describe('the page on privacy', () => {
  it('has a config that is taken, and that says what the page says of it', async (t) => {
    const folder = makeFolder(readGuide('docs/privacy.md').files);
    t.after(() => rmSync(folder, { recursive: true }));
    const cli = new CliProcess({ args: ['privacy'], folder, listenByConfig: true });
    assert.equal(await cli.ended, 0, cli.output);
    for (const row of ['user alice +full', 'group council +off', 'everybody else +metadata-only', 'pseudonyms +on'])
      assert.match(cli.output, new RegExp(`^${row}$`, 'm'));
  });

  it('names all options', () => {
    const page = readFileSync(path.join(ROOT, 'docs/privacy.md'), 'utf8');
    for (const option of [...Object.keys(privacy.shape), ...Object.keys(usage.shape)])
      assert.ok(page.includes(`\n| \`${option}\` |`), option);
  });
});
