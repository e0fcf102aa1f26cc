import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { options } from '../../addons/auth/options.ts';
import { CliProcess, makeFolder, ROOT } from '../proxy-process.ts';
import { readGuide } from './guide.ts';

const { files, commands } = readGuide('docs/auth.md');

describe('the page on users and groups', () => {
  it('has commands that work with its config, one after the other', async (t) => {
    const folder = makeFolder(files);
    t.after(() => rmSync(folder, { recursive: true }));
    const outputs: string[] = [];
    for (const command of commands) {
      const args = command.replace(/^npx insight-dump /, '').split(' ');
      const cli = new CliProcess({ args, folder, listenByConfig: true });
      assert.equal(await cli.ended, 0, cli.output);
      outputs.push(cli.output);
    }
    assert.match(outputs[1] ?? '', /^alice +the config +red, leads\nbob +the config +red +disabled$/m);
  });

  it('names all options', () => {
    const page = readFileSync(path.join(ROOT, 'docs/auth.md'), 'utf8');
    for (const option of Object.keys(options.shape)) assert.ok(page.includes(`\n| \`${option}\` |`), option);
  });
});
