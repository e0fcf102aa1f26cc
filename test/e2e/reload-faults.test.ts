import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import type { ProxyProcess } from '../proxy-process.ts';
import { setBusyStage } from '../stage.ts';
import { becomesLive, configOf, tagging } from '../tagging.ts';
import type { Traffic } from '../traffic.ts';

/** What goes wrong in a hook; where, and how, the console says that it did. */
const FAULTS = {
  throws: { body: '{ throw new Error("broken"); }', place: 'tag\\.ts:6:\\d+', message: 'broken' },
  rejects: { body: '{ return Promise.reject(new Error("broken")); }', place: 'tag\\.ts:6:\\d+', message: 'broken' },
  'never settles': {
    body: '{ return new Promise(() => {}); }',
    place: 'tag\\.ts',
    message: '\\w+ did not finish within 5000 ms: does it await something that never comes\\?',
  },
} as const;

describe('a version of an addon', () => {
  let proxy: ProxyProcess;
  let traffic: Traffic;
  let since = 0;
  setBusyStage({ config: configOf(`'tag.ts'`), files: { 'tag.ts': tagging('start') } }, (stage) => {
    ({ proxy, traffic } = stage);
  });
  beforeEach(async () => {
    await save('good');
    since = proxy.output.length;
  });

  const save = async (tag: string, more = '', limitMs?: number) => {
    proxy.write('tag.ts', tagging(tag, more));
    await becomesLive(traffic, tag, limitMs);
  };
  const errorLines = () =>
    proxy.output
      .slice(since)
      .split('\n')
      .filter((line) => line.includes('❌'));

  for (const [what, text, message] of [
    ['with a syntax error', 'export default {\n  responseHeaders() "x"\n};', /tag\.ts:2:21: Expected "\{" but found/],
    [
      'that imports what is not there',
      `import 'no-such-package';`,
      /tag\.ts:1:\d+: Cannot find module 'no-such-package'/,
    ],
    ['that throws as it is read', `interface A {\n}\nthrow new Error('at once');`, /tag\.ts:3:7: at once/],
    ['without an addon', 'export const a = 1;', /tag\.ts exports no addon/],
    [
      'with a hook that is no function',
      'export default { request: 1 };',
      /tag\.ts: "request" of addon tag is a number; a hook must be a function/,
    ],
    [
      'of another addon’s name',
      `export default { name: 'auth', request() {} };`,
      /two addons are named "auth": in .*addons\/auth\.ts and in .*tag\.ts/,
    ],
    [
      'with options that cannot be',
      tagging('x', 'options: { safeParse: 1 },'),
      /tag\.ts: "options" of addon tag must be a schema/,
    ],
  ] as const) {
    it(`${what} is not taken: the last good one stays, and the next good one comes in`, async () => {
      proxy.write('tag.ts', text);
      await proxy.said(new RegExp(`${message.source}.*; the last good version stays in force`), since);
      assert.equal(await traffic.tag(), 'good');
      assert.equal(errorLines().length, 1, errorLines().join('\n'));
      await save('mended');
    });
  }

  for (const hook of ['load', 'configure'] as const) {
    for (const [fault, { body, place, message }] of Object.entries(FAULTS)) {
      it(`whose ${hook} ${fault} is not taken: the last good one stays, and the next good one comes in`, async () => {
        proxy.write('tag.ts', tagging('bad', `\n${hook}() ${body},`));
        const line = `${place}: addon tag failed in ${hook}: ${message}; the last good version stays in force`;
        await proxy.said(new RegExp(line), since);
        assert.equal(await traffic.tag(), 'good');
        assert.equal(errorLines().length, 1, errorLines().join('\n'));
        await save('mended');
      });
    }
  }

  for (const hook of ['running', 'done'] as const) {
    for (const [fault, { body, place, message }] of Object.entries(FAULTS)) {
      it(`whose ${hook} ${fault} is taken, and so is the next`, async () => {
        await save('bad', `\n${hook}() ${body},`);
        await save('next', `running(ctx) { ctx.log.info('next is running'); },`);
        await proxy.said(new RegExp(`\\[tag\\] ${hook} failed at ${place}: ${message}`), since);
        await proxy.said(/next is running/, since);
        assert.equal(errorLines().length, 1, errorLines().join('\n'));
      });
    }
  }

  it('in which everything fails, twice in a row, leaves the last good one, and the watcher alive', async () => {
    const all = Object.values(FAULTS).flatMap(({ body }) =>
      ['load', 'configure', 'running', 'done'].map((hook) => `\n${hook}() ${body},`),
    );
    for (const more of [all.slice(0, 4), all.slice(4, 8)]) {
      const from = proxy.output.length;
      proxy.write('tag.ts', tagging('bad', more.join('')));
      await proxy.said(/addon tag failed in load: broken; the last good version stays in force/, from);
    }
    assert.equal(await traffic.tag(), 'good');
    await save('alive');
  });

  it('whose running and done both hang does not keep the next from coming in', async () => {
    const hangs = FAULTS['never settles'].body;
    await save('bad', `running() ${hangs}, done() ${hangs},`);
    await save('next', `running(ctx) { ctx.log.info('next is running'); },`);
    await save('last', `running(ctx) { ctx.log.info('last is running'); },`);
    await proxy.said(/last is running/, since, 20_000);
  });
});
