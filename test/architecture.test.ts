import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from './proxy-process.ts';

const read = (file: string) => readFileSync(path.join(ROOT, file), 'utf8');
const filesBelow = (folder: string) =>
  readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => path.posix.join(folder, file.replaceAll('\\', '/')));

/** The floors as docs/architecture.md lists them, lowest first: a block of lines of file names. */
function floors(): string[][] {
  const block = /```floors\n([\s\S]*?)```/.exec(read('docs/architecture.md'))?.[1] ?? '';
  return block
    .trim()
    .split('\n')
    .map((line) =>
      line
        .replace(/^F\d+\S*\s+/, '')
        .trim()
        .split(/\s+/),
    );
}

/** Modules that a file imports, its type imports included. */
function importsOf(file: string): string[] {
  return [
    ...read(file).matchAll(/^(?:import|export)\b[^;]*?from '([^']+)';|^import '([^']+)';|\bimport\('([^']+)'\)/gms),
  ].map(([, one, two, three]) => (one ?? two ?? three) as string);
}

describe('the house', () => {
  const floorOf = new Map(floors().flatMap((files, floor) => files.map((file) => [`core/${file}`, floor])));

  it('has each file of core/ on a floor of docs/architecture.md, and no other', () => {
    assert.deepEqual([...floorOf.keys()].sort(), filesBelow('core').sort());
  });

  for (const file of filesBelow('core')) {
    it(`${file} imports only from floors below its own`, () => {
      for (const specifier of importsOf(file)) {
        if (!specifier.startsWith('.')) continue;
        // The one thing that knows of the shipped addons: it is types only.
        if (file === 'core/published.ts' && specifier.startsWith('../addons/')) continue;
        const imported = path.posix.join(path.posix.dirname(file), specifier);
        if (imported === 'package.json') continue;
        const below = floorOf.get(imported);
        assert.notEqual(below, undefined, `${imported} has no floor`);
        assert.ok(
          (below as number) < (floorOf.get(file) as number),
          `${file} imports ${imported}, which is not below it`,
        );
      }
    });
  }

  for (const file of filesBelow('addons')) {
    it(`${file} imports only insight-dump, packages, Node's own modules, and files of the addon's folder`, () => {
      const [, addon] = /^addons\/([^/.]+)/.exec(file) ?? [];
      for (const specifier of importsOf(file)) {
        if (!/^[./]/.test(specifier)) continue;
        const imported = path.posix.join(path.posix.dirname(file), specifier);
        assert.ok(imported.startsWith(`addons/${addon}/`), imported);
      }
    });
  }

  it('asks for mockttp in one file, and for its types in another', () => {
    const importers = filesBelow('core').filter((file) => importsOf(file).some((each) => each.startsWith('mockttp')));
    assert.deepEqual(importers.sort(), ['core/engine/mockttp-parts.ts', 'core/engine/mockttp.ts']);
    assert.match(read('core/engine/mockttp.ts'), /^import type [^;]* from 'mockttp';/m);
    assert.deepEqual(
      importsOf('core/engine/mockttp.ts').filter((each) => each.startsWith('mockttp')),
      ['mockttp'],
    );
  });

  it('keeps the author’s file free of anything at run time but two functions', () => {
    assert.deepEqual(importsOf('core/addon.ts'), []);
    const values = [...read('core/addon.ts').matchAll(/^export (?:const|let|class|function|enum) (\w+)/gm)].map(
      ([, name]) => name,
    );
    assert.deepEqual(values, ['defineAddon', 'defineConfig']);
  });

  it('pins every dependency exactly', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json'));
    for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
      assert.match(String(version), /^\d+\.\d+\.\d+$/, name);
    }
  });
});
