import assert from 'node:assert/strict';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';
import { compile, type Unbuilt } from '../../core/compile.ts';
import { evaluate } from '../../core/evaluate.ts';
import * as api from '../../core/index.ts';
import { placeIn } from '../../core/stack.ts';
import { makeFolder, ROOT } from '../proxy-process.ts';

describe('compiling and evaluating a script', () => {
  let folder: string;
  before(() => {
    process.setSourceMapsEnabled(true);
    folder = makeFolder();
  });
  after(() => rmSync(folder, { recursive: true }));

  const write = (name: string, text: string) => {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  };
  const load = async (file: string, modules = {}) => {
    const { code, inputs } = await compile(file);
    return { ...evaluate(code, file, inputs, modules), inputs };
  };

  it('gives its exports, and names every file that went into it', async () => {
    write('lib/deep.ts', `import data from './data.json' with { type: 'json' }; export const deep: number = data.n;`);
    write('lib/data.json', '{"n": 42}');
    write('lib/helper.ts', `export { deep } from './deep.ts';`);
    const file = write(
      'main.ts',
      `import { deep } from './lib/helper.ts'; enum E { A = 7 } export const sum = deep + E.A;`,
    );
    const { exports, inputs } = await load(file);
    assert.equal(exports.sum, 49);
    const names = ['main.ts', 'lib/helper.ts', 'lib/deep.ts', 'lib/data.json'];
    assert.deepEqual([...inputs].sort(), names.map((name) => path.join(folder, name)).sort());
  });

  it('finds packages of the author first, then those of insight-dump, in ESM and CommonJS', async () => {
    write('node_modules/own/package.json', '{"name": "own", "main": "index.js"}');
    write('node_modules/own/index.js', 'module.exports = { own: true };');
    write('node_modules/esm/package.json', '{"name": "esm", "type": "module", "exports": "./index.js"}');
    write('node_modules/esm/index.js', 'export const esm = true;');
    const file = write(
      'packages.ts',
      `
      import { z } from 'zod'; import own from 'own'; import { esm } from 'esm'; import { join } from 'node:path';
      export const all = [typeof z.object, own.own, esm, typeof join];`,
    );
    assert.deepEqual((await load(file)).exports.all, ['function', true, true, 'function']);
  });

  it('shares zod with scripts that have none of their own, however they import it', async () => {
    const file = write(
      'sharing.ts',
      `import { z } from 'zod'; import byDefault from 'zod'; import * as all from 'zod';
      export const found = [z, byDefault, all.z];`,
    );
    assert.deepEqual(
      ((await load(file)).exports.found as unknown[]).map((each) => each === z),
      [true, true, true],
    );
  });

  it('shares zod with the addons that are shipped, beside which it lies', async () => {
    const file = path.join(ROOT, 'addons/filter.ts');
    const { exports } = await load(file, { 'insight-dump': api });
    assert.ok((exports.default as { options: unknown }).options instanceof z.ZodObject);
  });

  it('leaves their own zod to scripts that have one', async () => {
    write('with-zod/node_modules/zod/package.json', '{"name": "zod", "main": "index.js"}');
    write('with-zod/node_modules/zod/index.js', 'exports.z = { own: true };');
    const file = write('with-zod/main.ts', `import { z } from 'zod'; export { z };`);
    assert.deepEqual((await load(file)).exports.z, { own: true });
  });

  it('says which package is missing', async () => {
    const file = write('missing.ts', `import x from 'no-such-package'; export default x;`);
    await assert.rejects(load(file), { code: 'doesNotEvaluate', message: /Cannot find module 'no-such-package'/ });
  });

  it('gives host modules as they are, not a second copy', async () => {
    const api = { mark: Symbol('mine') };
    const file = write('api.ts', `import { mark } from 'insight-dump'; export { mark };`);
    assert.equal((await load(file, { 'insight-dump': api })).exports.mark, api.mark);
  });

  it('knows import.meta.url, each file its own', async () => {
    const helper = write('lib/meta.ts', '// import.meta.url\nexport const helper = import.meta.url;');
    const file = write(
      'meta.ts',
      `export { helper } from './lib/meta.ts';\nexport const url = import.meta.url;\nexport const fail = () => { throw new Error(); };`,
    );
    const { exports, inputs } = await load(file);
    assert.equal(exports.url, pathToFileURL(file).href);
    assert.equal(exports.helper, pathToFileURL(helper).href);
    assert.throws(exports.fail as () => void, (error) => placeIn(error, inputs)?.line === 3);
  });

  it('works behind a symbolic link, and watches the link and the file', async () => {
    const real = write('real/linked.ts', `import { deep } from './near.ts'; export default deep;`);
    write('real/near.ts', 'export const deep = 1;');
    const link = path.join(folder, 'link.ts');
    symlinkSync(real, link);
    const { exports, inputs } = await load(link);
    assert.equal(exports.default, 1);
    assert.ok(inputs.has(link) && inputs.has(real));
  });

  it('names the line of TypeScript in the stack of each version, while both are alive', async () => {
    const thrower = (line: number) =>
      `${'interface X { a: 1 }\n'.repeat(line - 1)}export const fail = () => { throw new Error('x'); };`;
    const file = write('versions.ts', thrower(3));
    const old = await load(file);
    write('versions.ts', thrower(9));
    const fresh = await load(file);
    for (const [{ exports, inputs }, line] of [
      [old, 3],
      [fresh, 9],
    ] as const) {
      assert.throws(exports.fail as () => void, (error) => placeIn(error, inputs)?.line === line);
    }
  });

  for (const [what, text, expected] of [
    ['a syntax error', 'export default {\n  a b\n};', /broken\.ts:2:5: Expected "}" but found "b"$/],
    ['a missing helper', `\nimport './none.ts';`, /broken\.ts:2:8: Could not resolve "\.\/none\.ts"$/],
    [
      'top-level await',
      'const a = 1;\nawait a;',
      /broken\.ts:2:1: top-level await cannot be used in an addon: await it in load\(\) or running\(\) instead$/,
    ],
    ['a throw', '\n\nthrow new TypeError("no");', /broken\.ts:3:7: no$/],
  ] as const) {
    it(`says file, line and column of ${what}`, async () => {
      const file = write('broken.ts', text);
      await assert.rejects(load(file), { message: expected });
    });
  }

  it('says where it looked when it failed, so that this can be watched', async () => {
    const file = write('waiting.ts', `import './soon.ts';`);
    const { stamps } = await compile(file).catch((error: Unbuilt) => error);
    assert.equal(await stamps?.differ(), false);
    write('soon.ts', '');
    assert.equal(await stamps?.differ(), true);
  });

  it('leaves nothing behind when a version is replaced', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const file = write('leak.ts', 'export default { big: new Uint8Array(5_000_000) };');
    const refs: WeakRef<object>[] = [];
    for (let i = 0; i < 50; i++) {
      const { exports } = await load(file);
      refs.push(new WeakRef(exports.default as object));
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
    gc();
    await new Promise((resolve) => setTimeout(resolve, 10));
    gc();
    assert.ok(refs.filter((ref) => ref.deref() !== undefined).length <= 2);
  });
});
