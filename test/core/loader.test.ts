import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import * as api from '../../core/index.ts';
import { Loader } from '../../core/loader.ts';
import { nameScripts } from '../../core/script-names.ts';
import { Watcher } from '../../core/watch.ts';
import { type HostKit, makeHost, said as saidOn, sourcesOf } from '../host-kit.ts';
import { makeFlow } from '../kit.ts';
import { eventually, makeFolder } from '../proxy-process.ts';

describe('the loader', () => {
  let folder: string;
  let kit: HostKit;
  let watcher: Watcher;
  let loader: Loader;
  beforeEach(async () => {
    folder = makeFolder();
    kit = makeHost();
    watcher = new Watcher(
      'events',
      (script) => void loader.reload(script),
      (error) => assert.fail(String(error)),
    );
    loader = new Loader({ host: kit.host, watcher, modules: { 'insight-dump': api }, log: kit.log.child() });
    watcher.begin();
    await kit.host.start();
  });
  afterEach(async () => {
    loader.close();
    await watcher.close();
    await kit.host.stop();
    rmSync(folder, { recursive: true });
  });

  const write = (name: string, text: string) => {
    const file = path.join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const saying = (word: string) =>
    `export const request = (flow) => { flow.metadata.said = ${JSON.stringify(word)}; };`;
  const said = async () => {
    const pin = kit.host.pin();
    const flow = makeFlow();
    await pin.dispatch('request', flow);
    pin.release();
    return (flow.metadata as { said?: string }).said;
  };
  const use = (...files: readonly string[]) => {
    const names = nameScripts(files);
    return loader.setScripts(files.map((file, i) => ({ path: file, name: names[i] as string, required: false })));
  };
  const becomes = (word: string | undefined, limitMs?: number) =>
    eventually(
      () => `it says ${word}; ${JSON.stringify(kit.log.lines)}`,
      async () => (await said()) === word,
      limitMs,
    );

  it('loads scripts in order, and takes in each save', async () => {
    const one = write('one.ts', saying('one'));
    const two = write('two.ts', saying('two'));
    await use(one, two);
    assert.deepEqual(
      kit.host.chain.instances.map(({ name }) => name),
      ['one', 'two'],
    );
    assert.equal(await said(), 'two');
    for (let i = 0; i < 5; i++) {
      write('two.ts', saying(`two ${i}`));
      await becomes(`two ${i}`);
    }
  });

  it('tells scripts of the same file name apart by their folders', async () => {
    mkdirSync(path.join(folder, 'a'));
    mkdirSync(path.join(folder, 'b'));
    const files = ['a/foo.ts', 'b/foo.ts', 'bar.ts'].map((name) => write(name, saying(name)));
    await use(files[0] as string, files[2] as string);
    assert.deepEqual(
      kit.host.chain.instances.map(({ name }) => name),
      ['foo', 'bar'],
    );
    await use(...files);
    assert.deepEqual(
      kit.host.chain.instances.map(({ name }) => name),
      ['a/foo', 'b/foo', 'bar'],
    );
  });

  it('keeps what does not change, instance for instance, when the list changes', async () => {
    const files = ['a', 'b', 'c'].map((name) => write(`${name}.ts`, saying(name)));
    await use(files[0] as string, files[1] as string);
    const [a, b] = kit.host.chain.instances;
    await use(files[2] as string, files[1] as string, files[0] as string);
    assert.equal(kit.host.chain.instances[2], a);
    assert.equal(kit.host.chain.instances[1], b);
  });

  it('changes nothing when one of the new ones does not load', async () => {
    const good = write('good.ts', saying('good'));
    await use(good);
    const { chain } = kit.host;
    await assert.rejects(use(good, write('other.ts', saying('x')), write('bad.ts', 'export default [')), {
      code: 'doesNotCompile',
    });
    assert.equal(kit.host.chain, chain);
  });

  it('comes in when the helper that was missing turns up', async () => {
    const file = write('main.ts', saying('start'));
    await use(file);
    write(
      'main.ts',
      `import { word } from './helper.ts'; export const request = (flow) => { flow.metadata.said = word; };`,
    );
    await eventually('it is missed', () =>
      saidOn(kit.log, 'error').some((line) => /main\.ts:1:22: Could not resolve/.test(line)),
    );
    assert.equal(await said(), 'start');
    write('helper.ts', `export const word = 'helped';`);
    await becomes('helped');
  });

  it('unloads a script that is gone for good, once, and loads it again when it is back', async () => {
    const done = `export const done = (ctx) => ctx.log.info('done');`;
    const file = write('main.ts', saying('here') + done);
    await use(file);
    rmSync(file);
    await becomes(undefined);
    await eventually('done', () => saidOn(kit.log, 'info').includes('[main] done'));
    write('main.ts', saying('back'));
    await becomes('back');
    assert.equal(saidOn(kit.log, 'info').filter((line) => line === '[main] done').length, 1);
  });

  it('ends with the newest of many quick saves, one build at a time', async () => {
    const file = write('main.ts', saying('start'));
    await use(file);
    for (let i = 0; i < 50; i++) {
      write('main.ts', saying(`save ${i}`));
      await new Promise((resolve) => setTimeout(resolve, i % 7));
    }
    await becomes('save 49');
  });

  it('does not bring an old version back when the list changes while a new one comes in', async () => {
    const slow = write('slow.ts', saying('slow'));
    const main = write('main.ts', saying('old'));
    await use(main);
    write('slow.ts', `export const load = () => new Promise((resolve) => setTimeout(resolve, 80)); ${saying('slow')}`);
    const listing = use(slow, main);
    write('main.ts', saying('new'));
    await loader.reload(main);
    await listing;
    assert.equal(await said(), 'new');
  });

  it('brings no version in with options from before, when both change at once', async () => {
    const speaking = (delayMs: number) => `import { z } from 'zod';
      export default {
        options: z.object({ word: z.string().default('before') }),
        load: () => new Promise((resolve) => setTimeout(resolve, ${delayMs})),
        request(flow, ctx) { flow.metadata.said = ctx.options.word; },
      };`;
    const main = write('main.ts', speaking(0));
    await use(main);
    const options = sourcesOf({ main: { word: 'after' } });
    for (const reloadFirst of [true, false]) {
      write('main.ts', speaking(50));
      const first = reloadFirst ? loader.reload(main) : undefined;
      const change = loader.exclusively(() => kit.host.reconfigure(options));
      await Promise.all([first, change, loader.reload(main)]);
      assert.equal(await said(), 'after');
      await kit.host.reconfigure(sourcesOf());
    }
  });

  it('lets go of a version that comes in after its script was taken off the list, or after the end', async () => {
    const slow = `export const load = (ctx) => { ctx.log.info('loading'); return new Promise((resolve) => setTimeout(resolve, 80)); };
      export const running = (ctx) => ctx.log.info('running late');`;
    const main = write('main.ts', saying('start'));
    await use(main);
    write('main.ts', slow);
    const reload = loader.reload(main);
    await eventually('it loads', () => saidOn(kit.log, 'info').includes('[main] loading'));
    await use();
    await reload;
    assert.equal(kit.host.chain.instances.length, 0);
    assert.ok(!saidOn(kit.log, 'info').some((line) => /reloaded|running late/.test(line)));
  });

  it('lets go of a script that is taken off the list', async () => {
    const file = write('main.ts', saying('start'));
    await use(file);
    await use();
    write('main.ts', saying('again'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(kit.host.chain.instances.length, 0);
  });
});
