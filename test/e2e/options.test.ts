import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CliProcess, eventually, type ProxyOptions, ProxyProcess } from '../proxy-process.ts';
import { setBusyStage } from '../stage.ts';
import { becomesLive, configOf } from '../tagging.ts';
import type { Traffic } from '../traffic.ts';

/** Tags answers with its options. */
const ADDON = (help = 'a word', more = '') => `
  import { defineAddon } from 'insight-dump';
  import { z } from 'zod';
  export default defineAddon({
    options: z.object({
      word: z.string().default('default').describe('${help}'),
      list: z.array(z.string()).default([]),
      on: z.boolean().default(false),
      number: z.number().default(0),
      ${more}
    }),
    configure(ctx) { if (ctx.options.word === 'no') throw new Error('not that word'); },
    running(ctx) { ctx.log.info('runs with ' + JSON.stringify(ctx.options)); },
    responseHeaders(flow, ctx) { flow.response.headers.append('x-tag', ctx.options.word); },
  });`;

async function run(options: ProxyOptions) {
  const cli = new CliProcess(options);
  const code = await cli.ended;
  await cli.stop();
  return { code, output: cli.output };
}

describe('options', () => {
  it('come from the flags before the environment before the file, option by option', async (t) => {
    const proxy = await ProxyProcess.start({
      config: `export default { addons: ['my.ts'], options: { my: { word: 'file', number: 1, list: ['file'], on: true } } };`,
      files: { 'my.ts': ADDON() },
      env: { INSIGHT_DUMP_SET: 'my.number=2; my.list=x\nmy.list=y; my.on=false' },
      args: ['--set', 'my.number=3'],
    });
    t.after(() => proxy.stop());
    await proxy.said(/runs with {"word":"file","list":\["x","y"\],"on":false,"number":3}/);
  });

  for (const [what, options, expected] of [
    ['a wrong type', { env: { INSIGHT_DUMP_SET: 'my.number=many' } }, /my: number: .*expected number.*given: "many"/],
    [
      'an unknown option',
      { env: { INSIGHT_DUMP_SET: 'my.nubmer=1' } },
      /my: no option named "nubmer" \(did you mean "number"\?\)/,
    ],
    [
      'an unknown addon',
      { env: { INSIGHT_DUMP_SET: 'mine.number=1' } },
      /INSIGHT_DUMP_SET: no addon named "mine" is loaded; there are my$/m,
    ],
    [
      'no option at all',
      { env: { INSIGHT_DUMP_SET: 'number' } },
      /INSIGHT_DUMP_SET number: expected addon\.option=value/,
    ],
    [
      'a value that the addon refuses',
      { args: ['--set', 'my.word=no'] },
      /my\.ts:\d+:\d+: addon my failed in configure: not that word/,
    ],
    [
      'an option of an addon that is not run',
      { args: ['-s', 'my.ts', '--set', 'auth.users=x'] },
      /--set: no addon named "auth"/,
    ],
  ] as const) {
    it(`are refused at the start, in one line, with ${what}`, async () => {
      const config = `export default { addons: ['my.ts'] };`;
      const { code, output } = await run({ config, files: { 'my.ts': ADDON() }, ...options });
      assert.match(output, /^insight-dump: .*\n$/);
      assert.match(output, expected);
      assert.equal(code, /expected addon\.option=value/.test(output) ? 2 : 1);
    });
  }

  it('may be set for an addon that is switched off, and count once it is switched on', async (t) => {
    const config = (enabled: boolean) =>
      `export default { addons: [{ script: 'my.ts', enabled: ${enabled} }], options: { my: { number: 1 } } };`;
    const proxy = await ProxyProcess.start({
      config: config(false),
      files: { 'my.ts': ADDON() },
      args: ['--set', 'my.word=early'],
    });
    t.after(() => proxy.stop());
    proxy.write('addons.config.ts', config(true));
    await proxy.said(/runs with {"word":"early","list":\[\],"on":false,"number":1}/);
  });

  it('are printed by --options as YAML, with type, default and description, and nothing is run', async () => {
    const { code, output } = await run({
      args: ['--options', '-s', 'my.ts', '-s', 'plain.ts'],
      files: {
        'my.ts': ADDON('what to say\\nin one word', `must: z.string(), way: z.enum(['in', 'out']).optional(),`),
        'plain.ts': `export function load() { throw new Error('it was run'); } export function request() {}`,
      },
    });
    assert.equal(code, 0, output);
    assert.equal(
      output,
      `my:
  # what to say
  # in one word
  # string
  word: "default"
  # list of string
  list: []
  # boolean
  on: false
  # number
  number: 0
  # string
  # must: (not set)
  # "in" or "out"
  # way: (not set)

plain: {}  # it has no options
`,
    );
    const all = await run({ args: ['--options'] });
    for (const name of ['auth', 'privacy', 'filter', 'usage', 'metrics'])
      assert.match(all.output, new RegExp(`^${name}:`, 'm'));
    assert.match(all.output, /^ {2}# list of string\n {2}users: \["alice","bob"\]|^ {2}users: \[\]/m);
  });
});

describe('options of an addon that is saved', () => {
  let proxy: ProxyProcess;
  let traffic: Traffic;
  const config = (word: string) =>
    configOf(
      `'my.ts', 'other.ts'`,
      `options: { auth: { users: ['alice'] }, my: { word: '${word}' }, other: { word: '${word}' } },`,
    );
  const files = { 'my.ts': ADDON(), 'other.ts': ADDON() };
  setBusyStage({ config: config('set'), files, args: ['--set', 'my.number=7'] }, (stage) => {
    ({ proxy, traffic } = stage);
  });

  it('stay set when their help text, their default and their neighbors change', async () => {
    assert.equal(await traffic.tag(), 'set, set');
    const since = proxy.output.length;
    proxy.write('my.ts', ADDON('another help text', `extra: z.number().default(1),`).replace(`'default'`, `'other'`));
    await proxy.said(/runs with {"word":"set","list":\[\],"on":false,"number":7,"extra":1}/, since);
    assert.equal(await traffic.tag(), 'set, set');
  });

  it('keep the old version when the new one has no such option', async () => {
    const since = proxy.output.length;
    proxy.write('my.ts', ADDON().replaceAll('number:', 'count:'));
    await proxy.said(/my: no option named "number".*; the last good version stays in force/, since);
    proxy.write('my.ts', ADDON());
    await proxy.said(/runs with/, since);
  });

  it('are all as before when one addon refuses a change, which is said', async () => {
    const since = proxy.output.length;
    proxy.write('other.ts', ADDON().replace(`'no'`, `'new'`));
    await proxy.said(/other\.ts reloaded/, since);
    proxy.write('addons.config.ts', config('new'));
    await proxy.said(
      /other\.ts:\d+:\d+: addon other failed in configure: not that word; addons\.config\.ts changes nothing/,
      since,
    );
    assert.equal(await traffic.tag(), 'set, set');
    proxy.write('addons.config.ts', config('good'));
    await becomesLive(traffic, 'good, good');
    await eventually(
      'no error since',
      () => !/❌/.test(proxy.output.slice(proxy.output.lastIndexOf('changes nothing'))),
    );
  });
});
