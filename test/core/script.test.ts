import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { compile } from '../../core/compile.ts';
import { Host } from '../../core/host.ts';
import { addonsOf, evaluateScript } from '../../core/script.ts';
import { sourcesOf } from '../host-kit.ts';
import { MemoryLog, makeFlow } from '../kit.ts';
import { makeFolder } from '../proxy-process.ts';

const silent = (message: string): void => assert.fail(message);
const find = (exports: object, file = '/x/mine.ts', warn = silent) =>
  addonsOf(exports as Record<string, unknown>, file, 'mine', warn);
const hook = () => {};

describe('a script', () => {
  it('exports an addon by default, named by itself or as it is given', () => {
    assert.deepEqual(find({ default: { request: hook } })[0]?.name, 'mine');
    assert.deepEqual(find({ default: { name: 'own', request: hook } })[0]?.name, 'own');
  });

  it('exports functions named as hooks', () => {
    const [named] = find({ request: hook, helper: 1 });
    assert.equal(named?.name, 'mine');
    assert.equal(named?.addon.request, hook);
  });

  it('exports a list of addons', () => {
    const names = find({ default: [{ request: hook }, { response: hook }, { name: 'third', error: hook }] }).map(
      ({ name }) => name,
    );
    assert.deepEqual(names, ['mine', 'mine-2', 'third']);
  });

  it('exports an instance of a class, whose private fields still work', () => {
    class Mine {
      #count = 0;
      request() {
        this.#count += 1;
        return this.#count;
      }
    }
    const [{ addon }] = find({ default: new Mine() }) as unknown as [{ addon: Mine }];
    assert.equal(addon.request(), 1);
  });

  for (const [what, exports] of [
    ['nothing', {}],
    ['only other things', { helper: hook }],
    ['a function by default', { default: hook }],
    ['a list with something else in it', { default: [{}, 1] }],
    ['an empty list', { default: [] }],
    ['null', { default: null }],
  ] as const) {
    it(`is refused when it exports ${what}`, () => {
      assert.throws(() => find(exports), { code: 'noAddon', message: /^\/x\/mine\.ts exports no addon: / });
    });
  }

  it('is refused when a hook is no function', () => {
    const message = '/x/mine.ts: "request" of addon mine is a string; a hook must be a function';
    assert.throws(() => find({ default: { request: 'no' } }), { code: 'hookNotFunction', message });
  });

  it('is warned about a function that was probably meant as a hook, and about nothing else', () => {
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    find(
      { default: { reqeust: hook, responseheaders: hook, format: hook, toString: hook, count: 1 } },
      '/x/mine.ts',
      warn,
    );
    assert.deepEqual(warnings, [
      '/x/mine.ts: addon mine has a function "reqeust", which is no hook; did you mean "request"?',
      '/x/mine.ts: addon mine has a function "responseheaders", which is no hook; did you mean "responseHeaders"?',
    ]);
  });
});

describe('an error of an addon', () => {
  it('names the line of TypeScript, also after garbage has been collected', async () => {
    process.setSourceMapsEnabled(true);
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const folder = makeFolder({
      'mine.ts': 'interface X {\n  a: 1;\n}\nexport function request() {\n  throw new Error("no");\n}\n',
    });
    const file = path.join(folder, 'mine.ts');
    const log = new MemoryLog();
    const limits = { hookTimeoutMs: 100, lifecycleTimeoutMs: 100, drainMs: 100 };
    const host = new Host({ log, paths: { logs: '', confdir: '', config: '' }, limits }, sourcesOf());
    const spec = { path: file, name: 'mine', required: false };
    const instances = await host.prepare(evaluateScript(spec, await compile(file), {}, silent));
    host.apply([{ script: file, name: 'mine', required: false, instances }]);
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      gc();
    }
    host.pin().dispatch('request', makeFlow());
    assert.match(log.of('error')[0] ?? '', /^request failed at .*mine\.ts:5:9: no$/);
    rmSync(folder, { recursive: true });
  });
});
