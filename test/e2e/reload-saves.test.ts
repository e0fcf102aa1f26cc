import assert from 'node:assert/strict';
import { cpSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProxyProcess } from '../proxy-process.ts';
import { setBusyStage } from '../stage.ts';
import { becomesLive, configOf, tagging, taggingFrom } from '../tagging.ts';
import type { Traffic } from '../traffic.ts';

const helper = (tag: string) => `export const tag: string = '${tag}';`;
const passing = (specifier: string) => `export { tag } from '${specifier}';`;

describe('a save of an addon is live, and costs no request', () => {
  let proxy: ProxyProcess;
  let traffic: Traffic;
  setBusyStage({ config: configOf(`'my/tag.ts'`), files: { 'my/tag.ts': tagging('start') } }, (stage) => {
    ({ proxy, traffic } = stage);
  });
  beforeEach(async () => {
    rmSync(proxy.path('my'), { recursive: true });
    proxy.write('my/tag.ts', tagging('start'));
    await becomesLive(traffic, 'start', 5_000);
  });

  const live = (tag: string, limitMs?: number) => becomesLive(traffic, tag, limitMs);
  const stays = async (tag: string, forMs: number) => {
    const end = performance.now() + forMs;
    while (performance.now() < end) {
      assert.equal(await traffic.tag(), tag);
      await sleep(20);
    }
  };

  it('when it is rewritten in its place', async () => {
    for (const tag of ['one', 'two', 'three']) {
      proxy.write('my/tag.ts', tagging(tag));
      await live(tag);
    }
  });

  it('when another file is renamed to it', async () => {
    for (const tag of ['one', 'two']) {
      proxy.write('my/.tag.ts.swp', tagging(tag));
      renameSync(proxy.path('my/.tag.ts.swp'), proxy.path('my/tag.ts'));
      await live(tag);
    }
  });

  it('when the old one is moved away first, as editors with backups do', async () => {
    renameSync(proxy.path('my/tag.ts'), proxy.path('my/tag.ts~'));
    proxy.write('my/tag.ts', tagging('one'));
    await live('one');
  });

  it('when it is deleted, and written some seconds later', async () => {
    rmSync(proxy.path('my/tag.ts'));
    await stays('start', 3_000);
    proxy.write('my/tag.ts', tagging('back'));
    await live('back');
  });

  it('when it comes in two halves', async () => {
    const text = tagging('whole');
    const since = proxy.output.length;
    proxy.write('my/tag.ts', text.slice(0, text.length / 2));
    await stays('start', 300);
    proxy.write('my/tag.ts', text);
    await live('whole');
    assert.ok((proxy.output.slice(since).match(/❌/g)?.length ?? 0) <= 1, proxy.output.slice(since));
  });

  it('when it is emptied first', async () => {
    proxy.write('my/tag.ts', '');
    await stays('start', 300);
    proxy.write('my/tag.ts', tagging('full'));
    await live('full');
  });

  it('with an older time of change', async () => {
    const old = new Date('2001-01-01');
    proxy.write('my/older.ts', tagging('older'));
    utimesSync(proxy.path('my/older.ts'), old, old);
    renameSync(proxy.path('my/older.ts'), proxy.path('my/tag.ts'));
    await live('older');
    writeFileSync(proxy.path('my/tag.ts'), tagging('oldest'));
    utimesSync(proxy.path('my/tag.ts'), 0, 0);
    await live('oldest');
  });

  it('with the same size, and even the same time of change', async () => {
    proxy.write('my/tag.ts', tagging('START'));
    await live('START');
    const { atime, mtime } = statSync(proxy.path('my/tag.ts'));
    proxy.write('my/tag.ts', tagging('sTaRt'));
    utimesSync(proxy.path('my/tag.ts'), atime, mtime);
    await live('sTaRt');
  });

  it('when only a helper three imports deep is edited', async () => {
    proxy.write('my/lib/deep/three.ts', helper('one'));
    proxy.write('my/lib/two.ts', passing('./deep/three.ts'));
    proxy.write('my/one.ts', passing('./lib/two.ts'));
    proxy.write('my/tag.ts', taggingFrom('./one.ts'));
    await live('one');
    for (const tag of ['two', 'three']) {
      proxy.write('my/lib/deep/three.ts', helper(tag));
      await live(tag);
    }
  });

  for (const specifier of ['./new/helper.ts', './new/helper', './helper']) {
    it(`when a helper is new, also if it comes after its first import as ${specifier}`, async () => {
      const file = path.join('my', specifier.replace(/(\.ts)?$/, '.ts'));
      const since = proxy.output.length;
      proxy.write('my/tag.ts', taggingFrom(specifier));
      await proxy.said(/my\/tag\.ts:3:23: Could not resolve "\.\/.*helper.*"; the last good version stays/, since);
      await stays('start', 200);
      proxy.write(file, helper('helped'));
      await live('helped');
      proxy.write(file, helper('helped again'));
      await live('helped again');
    });
  }

  it('when a helper goes: one that is not needed any more, and one that is', async () => {
    proxy.write('my/helper.ts', helper('helped'));
    proxy.write('my/tag.ts', taggingFrom('./helper.ts'));
    await live('helped');
    rmSync(proxy.path('my/helper.ts'));
    await proxy.said(/Could not resolve "\.\/helper\.ts"; the last good version stays/);
    await stays('helped', 200);
    proxy.write('my/helper.ts', helper('is back'));
    await live('is back');
    proxy.write('my/tag.ts', tagging('alone'));
    rmSync(proxy.path('my/helper.ts'));
    await live('alone');
  });

  it('when it is a symbolic link: its target is edited, or it points elsewhere', async () => {
    proxy.write('my/v1/tag.ts', tagging('v1'));
    proxy.write('my/v2/tag.ts', tagging('v2'));
    rmSync(proxy.path('my/tag.ts'));
    symlinkSync('v1/tag.ts', proxy.path('my/tag.ts'));
    await live('v1');
    proxy.write('my/v1/tag.ts', tagging('v1 edited'));
    await live('v1 edited');
    symlinkSync('v2/tag.ts', proxy.path('my/tag.ts.new'));
    renameSync(proxy.path('my/tag.ts.new'), proxy.path('my/tag.ts'));
    await live('v2');
    proxy.write('my/v2/tag.ts', tagging('v2 edited'));
    await live('v2 edited');
  });

  it('when its folder is replaced', async () => {
    proxy.write('next/tag.ts', tagging('next'));
    renameSync(proxy.path('my'), proxy.path('last'));
    renameSync(proxy.path('next'), proxy.path('my'));
    await live('next');
    proxy.write('my/tag.ts', tagging('next, edited'));
    await live('next, edited');
    rmSync(proxy.path('my'), { recursive: true });
    await sleep(1_000);
    cpSync(proxy.path('last'), proxy.path('my'), { recursive: true });
    await live('start');
    proxy.write('my/tag.ts', tagging('edited'));
    await live('edited');
    rmSync(proxy.path('last'), { recursive: true });
  });

  it('when it lies behind a folder that is a symbolic link, which is turned to the next release', async () => {
    for (const release of ['a', 'b']) proxy.write(`my/${release}/tag.ts`, tagging(`release ${release}`));
    symlinkSync('a', proxy.path('my/current'));
    // Without an extension, no file of that very name is there.
    proxy.write('my/tag.ts', `export { default } from './current/tag';`);
    await live('release a');
    symlinkSync('b', proxy.path('my/next'));
    renameSync(proxy.path('my/next'), proxy.path('my/current'));
    await live('release b');
    proxy.write('my/b/tag.ts', tagging('release b, mended'));
    await live('release b, mended');
  });
});

describe('many files at once', () => {
  const names = ['one', 'two', 'three'];
  const HELPERS = 10;
  const branch = (version: string) => [
    ...names.map((name): [string, string] => [
      `my/${name}.ts`,
      `${Array.from({ length: HELPERS }, (_, i) => `import { part as part${i} } from './${name}/part${i}.ts';`).join('')}
       const parts = [${Array.from({ length: HELPERS }, (_, i) => `part${i}`)}];
       export function responseHeaders(flow) { flow.response.headers.append('x-tag', [...new Set(parts)].join('+')); }`,
    ]),
    ...names.flatMap((name) =>
      Array.from({ length: HELPERS }, (_, i): [string, string] => [
        `my/${name}/part${i}.ts`,
        `export const part: string = '${version}';`,
      ]),
    ),
  ];
  let proxy: ProxyProcess;
  let traffic: Traffic;
  const files = Object.fromEntries(branch('main'));
  setBusyStage({ config: configOf(names.map((name) => `'my/${name}.ts'`).join()), files }, (stage) => {
    ({ proxy, traffic } = stage);
  });

  it('as by git checkout, come in whole', async () => {
    await becomesLive(traffic, 'main, main, main');
    for (const version of ['feature', 'main', 'feature']) {
      // git unlinks a file before it writes it anew.
      for (const [file, text] of branch(version)) {
        rmSync(proxy.path(file));
        proxy.write(file, text);
      }
      await becomesLive(traffic, `${version}, ${version}, ${version}`, 2_000);
    }
  });
});

describe('an addon that is gone for good', () => {
  let proxy: ProxyProcess;
  let traffic: Traffic;
  const files = {
    'tag.ts': tagging('here', `done(ctx) { ctx.log.info('tag is done'); }`),
    'other.ts': tagging('other'),
  };
  setBusyStage({ config: configOf(`'tag.ts', 'other.ts'`), files }, (stage) => {
    ({ proxy, traffic } = stage);
  });

  it('is unloaded, done once, and loads in its old place when it is back', async () => {
    await becomesLive(traffic, 'here, other');
    rmSync(proxy.path('tag.ts'));
    await becomesLive(traffic, 'other', 10_000);
    await proxy.said(/tag\.ts is gone; its addons are unloaded until it comes back/);
    await proxy.said(/tag is done/);
    await sleep(500);
    assert.equal(proxy.output.match(/tag is done/g)?.length, 1);
    proxy.write('tag.ts', tagging('back'));
    await becomesLive(traffic, 'back, other');
    proxy.write('tag.ts', tagging('again'));
    await becomesLive(traffic, 'again, other');
  });
});

describe('watching', () => {
  for (const [flag, limitMs] of [
    ['--no-watch', undefined],
    ['--watch-poll', 3_000],
  ] as const) {
    describe(`with ${flag}`, () => {
      let proxy: ProxyProcess;
      let traffic: Traffic;
      const options = { args: [flag], config: configOf(`'tag.ts'`), files: { 'tag.ts': tagging('start') } };
      setBusyStage(options, (stage) => {
        ({ proxy, traffic } = stage);
      });

      it(limitMs === undefined ? 'is off: a save changes nothing' : 'looks again and again', async () => {
        proxy.write('tag.ts', tagging('saved'));
        if (limitMs === undefined) {
          proxy.write('addons.config.ts', configOf(''));
          await sleep(1_500);
          assert.equal(await traffic.tag(), 'start');
        } else {
          await becomesLive(traffic, 'saved', limitMs);
          proxy.write('new.ts', tagging('renamed'));
          renameSync(proxy.path('new.ts'), proxy.path('tag.ts'));
          await becomesLive(traffic, 'renamed', limitMs);
          rmSync(proxy.path('tag.ts'));
          await sleep(1_000);
          proxy.write('tag.ts', tagging('back'));
          await becomesLive(traffic, 'back', limitMs);
          proxy.write('addons.config.ts', configOf(''));
          await becomesLive(traffic, '', limitMs);
        }
      });
    });
  }
});
