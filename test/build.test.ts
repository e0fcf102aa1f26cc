import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ROOT } from './proxy-process.ts';

const DIST = path.join(ROOT, 'dist');
const read = (file: string) => readFileSync(path.join(DIST, file), 'utf8');

/** The packages that a built file has something of: before each of their files, esbuild names it. */
function packagesIn(file: string): string[] {
  const named = read(file).matchAll(/^\s*\/\/ (?:\S*\/)?node_modules\/((?:@[^/\s]+\/)?[^/\s]+)\/\S+$/gm);
  return [...new Set([...named].map(([, name]) => name as string))];
}

/** What a file imports of other built files, and what these import. */
function withImports(file: string, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const [, imported = ''] of read(file).matchAll(/^(?:import|export)\b[^;]*?"(\.{1,2}\/[^"]+)";$/gm))
    withImports(path.join(path.dirname(file), imported), found);
  return found;
}

describe('what is built', () => {
  const files = [...withImports('cli.js'), ...withImports('index.js'), ...withImports('testing.js')];

  it('has mockttp in a folder of its name only: its words on the console are known by that', () => {
    const having = [...new Set(files)].filter((file) => packagesIn(file).includes('mockttp'));
    assert.deepEqual(having, [path.join('mockttp', 'parts.js')]);
  });

  it('comes with the licenses of all packages that are in it', () => {
    const packages = new Set(files.flatMap(packagesIn));
    assert.ok(packages.has('winston') && packages.has('mockttp') && packages.has('@peculiar/x509'));
    const licenses = read('licenses.txt').split(/^# (?=\S+ \d)/m);
    const withText = new Set(
      licenses
        .filter((each) => /MIT|ISC|BSD|Apache|0BSD|copyright/i.test(each))
        .map((each) => each.slice(0, each.search(/ \d/))),
    );
    assert.deepEqual(
      [...packages].filter((name) => !withText.has(name)),
      [],
    );
  });

  it('loads of packages, for a start without addons, what has to stay one', () => {
    const from = new Set(
      [...withImports('cli.js')].flatMap((file) =>
        [...read(file).matchAll(/^import [^;]*? from "([^."][^"]*)";$/gm)].map(([, name]) => name as string),
      ),
    );
    assert.deepEqual(
      [...from].filter((name) => !isBuiltin(name)),
      ['esbuild'],
    );
  });

  it('does not make those wait who import only what addons are made with', () => {
    assert.deepEqual([...withImports('index.js')].flatMap(packagesIn), []);
  });
});
