import assert from 'node:assert/strict';
import { renameSync, rmSync } from 'node:fs';
import { beforeEach, describe, it } from 'node:test';
import { ask, curl, openSession } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setStage } from '../stage.ts';

/** What a save may take until it is in force. */
const LIVE_LIMIT_MS = 1_000;

const tagging = (tag: string) => `
  import { defineAddon } from 'insight-dump';
  export default defineAddon({ responseHeaders(flow) { flow.response.headers.set('x-tag', ${JSON.stringify(tag)}); } });
`;

const CONFIG = (addons: string, more = '') => `export default {
  addons: ['addons/auth.ts', ${addons}], options: { auth: { users: ['alice'] } }, ${more}
};`;

describe('saving an addon', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  setStage({ config: CONFIG(`'tag.ts'`), files: { 'tag.ts': tagging('start') } }, undefined, (stage) => {
    ({ fake, proxy } = stage);
  });
  beforeEach(async () => {
    proxy.write('tag.ts', tagging('start'));
    await live('start', 5_000);
  });

  const tag = async () => {
    const { stdout } = await curl(
      proxy,
      'alice',
      '-o',
      '/dev/null',
      '-w',
      '%header{x-tag}',
      `https://${API_HOST}/models`,
    );
    return stdout;
  };
  const live = (expected: string, limitMs = LIVE_LIMIT_MS) =>
    eventually(`${expected} is live`, async () => (await tag()) === expected, limitMs);

  it('takes effect in under a second, and does not touch an open stream', async () => {
    fake.plan = () => ({ delayMs: 100 });
    const session = await openSession(proxy, 'alice', API_HOST);
    const open = ask(session, { ':method': 'POST', ':path': '/chat/completions' }, chatRequest('long'));
    await eventually('it is under way', () => fake.requests.at(-1)?.sentAt.length === 1);
    proxy.write('tag.ts', tagging('second'));
    await live('second');
    const { body, headers } = await open;
    assert.match(body, /\[DONE\]/);
    assert.equal(headers['x-tag'], 'start');
    session.close();
    fake.plan = () => ({});
  });

  it('keeps the old version on a syntax error, says file, line and column, and takes the next good one', async () => {
    const since = proxy.output.length;
    proxy.write(
      'tag.ts',
      'export default {\n  responseHeaders(flow) {\n    flow.response.headers.set("x-tag" "x");\n  },\n};\n',
    );
    await proxy.said(/tag\.ts:3:39: Expected "\)" but found .*; the last good version stays in force/, since);
    assert.equal(await tag(), 'start');
    proxy.write('tag.ts', tagging('mended'));
    await live('mended');
  });

  it('keeps the old version when the new one throws as it loads, and says the line of TypeScript', async () => {
    const since = proxy.output.length;
    proxy.write(
      'tag.ts',
      `interface Nothing {\n  at: all;\n}\ntype all = 1;\nexport default { load() { throw new Error('not today'); } };`,
    );
    await proxy.said(/tag\.ts:5:33: addon tag failed in load: not today; the last good version stays/, since);
    assert.equal(await tag(), 'start');
    proxy.write('tag.ts', `throw new Error('at once');`);
    await proxy.said(/tag\.ts:1:7: at once; the last good version stays/, since);
    assert.equal(await tag(), 'start');
  });

  it('works by rename, as editors save', async () => {
    proxy.write('tag.ts.tmp', tagging('renamed'));
    renameSync(proxy.path('tag.ts.tmp'), proxy.path('tag.ts'));
    await live('renamed');
  });

  it('works when the file is gone for a moment', async () => {
    rmSync(proxy.path('tag.ts'));
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(await tag(), 'start');
    proxy.write('tag.ts', tagging('back'));
    await live('back');
  });

  it('brings in an edited helper', async () => {
    proxy.write('helper.ts', `export const tag: string = 'helped';`);
    proxy.write(
      'tag.ts',
      tagging('x').replace('"x"', 'tag').replace('import', `import { tag } from './helper.ts'; import`),
    );
    await live('helped');
    proxy.write('helper.ts', `export const tag: string = 'helped again';`);
    await live('helped again');
  });

  it('goes on when a hook throws, and says where', async () => {
    const since = proxy.output.length;
    proxy.write('tag.ts', `export function requestHeaders(flow: unknown) {\n  throw new Error('oops');\n}\n`);
    await eventually('it throws', async () => {
      assert.equal((await curl(proxy, 'alice', `https://${API_HOST}/models`)).code, 0);
      return /\[tag\] requestHeaders failed at tag\.ts:2:9: oops/.test(proxy.output.slice(since));
    });
  });
});

describe('saving the config', () => {
  let proxy: ProxyProcess;
  const files = Object.fromEntries(
    ['one', 'two', 'three'].map((name) => [
      `${name}.ts`,
      `import { defineAddon } from 'insight-dump';
       import { z } from 'zod';
       export default defineAddon({
         options: z.object({ word: z.string().default('${name}') }),
         running(ctx) { ctx.log.info('${name} is running'); },
         done(ctx) { ctx.log.info('${name} is done'); },
         responseHeaders(flow, ctx) { flow.response.headers.append('x-tag', ctx.options.word); },
       });`,
    ]),
  );
  setStage({ config: CONFIG(`'one.ts', 'two.ts'`), files }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  const tags = async () => {
    const { stdout } = await curl(proxy, 'alice', '-o', '/dev/null', '-D', '-', `https://${API_HOST}/models`);
    return [...stdout.matchAll(/^x-tag: (.*)\r$/gm)].map(([, value]) => value);
  };
  const save = async (config: string, expected: readonly string[]) => {
    proxy.write('addons.config.ts', config);
    await eventually(`tags ${expected}`, async () => (await tags()).join() === expected.join(), LIVE_LIMIT_MS);
  };

  it('adds, reorders, removes and sets options of addons, each at once', async () => {
    assert.deepEqual(await tags(), ['one', 'two']);
    await save(CONFIG(`'one.ts', 'two.ts', 'three.ts'`), ['one', 'two', 'three']);
    await proxy.said(/three is running/);
    await save(CONFIG(`'three.ts', 'one.ts', 'two.ts'`), ['three', 'one', 'two']);
    await save(CONFIG(`'three.ts', { script: 'one.ts', enabled: false }, 'two.ts'`), ['three', 'two']);
    await proxy.said(/one is done/);
    assert.doesNotMatch(proxy.output, /(two|three) is done/);
    const options = `options: { auth: { users: ['alice'] }, two: { word: 'zwei' } }`;
    await save(CONFIG(`'three.ts', 'two.ts'`, options), ['three', 'zwei']);
    await save(CONFIG(`'one.ts', 'two.ts'`), ['one', 'two']);
  });

  for (const [what, config, message] of [
    ['does not compile', 'export default {', /addons\.config\.ts:1:17: .* changes nothing/],
    ['names a script that is not there', CONFIG(`'four.ts'`), /no such script: four\.ts; .* changes nothing/],
    [
      'has a setting that is none',
      CONFIG(`'one.ts'`, 'flowDetails: 2'),
      /"flowDetails" \(did you mean "flowDetail"\?\)/,
    ],
    [
      'gives an option a wrong type',
      CONFIG(`'one.ts', 'two.ts'`, `options: { auth: { users: ['alice'] }, two: { word: 7 } }`),
      /two: word: .*expected string.*given: 7/,
    ],
    [
      'sets an option that is none',
      CONFIG(`'one.ts', 'two.ts'`, `options: { auth: { users: ['alice'] }, two: { wrod: '' } }`),
      /two: no option named "wrod" \(did you mean "word"\?\)/,
    ],
    ['lists a script twice', CONFIG(`'one.ts', './one.ts'`), /script listed twice: one\.ts/],
  ] as const) {
    it(`changes nothing when it ${what}`, async () => {
      const since = proxy.output.length;
      proxy.write('addons.config.ts', config);
      await proxy.said(message, since);
      assert.deepEqual(await tags(), ['one', 'two']);
    });
  }

  it('takes an addon out together with options that it cannot be without', async () => {
    proxy.write(
      'needy.ts',
      `import { z } from 'zod'; export default { options: z.object({ must: z.string() }), responseHeaders(flow, ctx) {
        flow.response.headers.append('x-tag', ctx.options.must); } };`,
    );
    await save(CONFIG(`'one.ts', 'needy.ts'`, `options: { auth: { users: ['alice'] }, needy: { must: 'have' } }`), [
      'one',
      'have',
    ]);
    await save(CONFIG(`'one.ts', 'two.ts'`), ['one', 'two']);
  });

  it('comes in when a helper that it lacked turns up', async () => {
    const since = proxy.output.length;
    proxy.write(
      'addons.config.ts',
      `import { list } from './list.ts'; export default { addons: ['addons/auth.ts', ...list], options: { auth: { users: ['alice'] } } };`,
    );
    await proxy.said(/Could not resolve "\.\/list\.ts"; addons\.config\.ts changes nothing/, since);
    proxy.write('list.ts', `export const list = ['two.ts'];`);
    await eventually('it is applied', async () => (await tags()).join() === 'two');
    await save(CONFIG(`'one.ts', 'two.ts'`), ['one', 'two']);
  });

  it('says of the port that it changes with the next start', async () => {
    const since = proxy.output.length;
    proxy.write('addons.config.ts', CONFIG(`'one.ts', 'two.ts'`, 'listenPort: 9'));
    await proxy.said(/addons\.config\.ts applied/, since);
    assert.deepEqual(await tags(), ['one', 'two']);
  });
});
