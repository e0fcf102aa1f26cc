import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { CliProcess } from '../proxy-process.ts';

const ADDON = `
  import { defineAddon } from 'insight-dump';
  import { z } from 'zod';
  import { parseArgs } from 'node:util';
  export default defineAddon({
    name: 'greeter',
    options: z.object({ word: z.string().default('hello') }),
    load() { throw new Error('it was given a life'); },
    commands: {
      greet(args, ctx) {
        if (args[0] === 'nobody') throw ctx.usage('expected somebody');
        if (args[0] === 'late') throw new Error('too\\nlate');
        if (args[0] === 'strict') parseArgs({ args: ['--x'], options: {} });
        return ctx.options.word + ' ' + JSON.stringify(args) + ' ' + ctx.listen.port + '\\n';
      },
    },
  });`;
const config = `export default { addons: ['broken.ts', 'greeter.ts'], options: { greeter: { word: 'hi' } }, listenPort: 3128 };`;
const files = { 'greeter.ts': ADDON, 'broken.ts': 'oops oops' };

const run = async (...args: readonly string[]) => {
  const cli = new CliProcess({ args, config, files, listenByConfig: true });
  const code = await cli.ended;
  const madeLogs = existsSync(cli.path('logs'));
  await cli.stop();
  return { code, output: cli.output, madeLogs };
};

describe('a command of an addon', () => {
  it('gets its arguments and options, without a proxy or a life, whatever other scripts are like', async () => {
    const { code, output, madeLogs } = await run('greet', 'alice', '--loud', '-x', '1e3', '--set', 'greeter.word=hey');
    assert.deepEqual([code, output, madeLogs], [0, 'hey ["alice","--loud","-x","1e3"] 3128\n', false]);
    assert.equal((await run('greet')).output, 'hi [] 3128\n');
  });

  it('says in one line what went wrong, with the exit code for it', async () => {
    for (const [args, expected, exitCode] of [
      [['greet', 'nobody'], 'insight-dump: greet: expected somebody\n', 2],
      [['greet', 'late'], 'insight-dump: greet: too late\n', 1],
    ] as const) {
      const { code, output } = await run(...args);
      assert.deepEqual([code, output], [exitCode, expected]);
    }
    const { code, output } = await run('greet', 'strict');
    assert.equal(code, 2);
    assert.match(output, /^insight-dump: greet: Unknown option '--x'.*\n$/);
  });

  it('is looked for in vain where a script is broken that may have it', async () => {
    const { code, output } = await run('gret');
    assert.equal(code, 1);
    assert.match(output, /^insight-dump: broken\.ts:1:6: .*\n$/);
  });

  it('is named when there is no such', async () => {
    for (const [name, hint] of [
      ['gret', / \(did you mean "greet"\?\)\n$/],
      ['constructor', /; there are new, ca, greet\n$/],
    ] as const) {
      const { code, output } = await run('-s', 'greeter.ts', name);
      assert.equal(code, 2);
      assert.match(output, /^insight-dump: no command "\w+" here, nor in an addon of the config/);
      assert.match(output, hint);
    }
  });
});
