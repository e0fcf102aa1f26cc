import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
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

/** What a file imports: first as it loads, then also what it would later. */
const IMPORTS = {
  static: /^(?:import|export)\b[^;]*?"([^"]+)";$/gm,
  all: /\bimport\("([^"]+)"\)|^(?:import|export)\b[^;]*?"([^"]+)";$/gm,
};

function importsOf(file: string, which: keyof typeof IMPORTS): string[] {
  return [...read(file).matchAll(IMPORTS[which])].map(([, one, two]) => (one ?? two) as string);
}

/** A file, the built files that it imports, and what these import. */
function withImports(file: string, which: keyof typeof IMPORTS, found = new Set<string>()): Set<string> {
  if (found.has(file)) return found;
  found.add(file);
  for (const imported of importsOf(file, which))
    if (imported.startsWith('.')) withImports(path.join(path.dirname(file), imported), which, found);
  return found;
}

describe('what is built', () => {
  const files = [...new Set(['cli.js', 'index.js', 'testing.js'].flatMap((file) => [...withImports(file, 'all')]))];

  it('has mockttp in a folder of its name only: its words on the console are known by that', () => {
    const having = files.filter((file) => packagesIn(file).includes('mockttp'));
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

  it('imports no package: what it takes of one is in it, or is required', () => {
    const packages = files
      .flatMap((file) => importsOf(file, 'all'))
      .filter((name) => !/^[./]/.test(name) && !isBuiltin(name));
    assert.deepEqual(packages, []);
  });

  it('has those wait for no package who import only what addons are made with', () => {
    assert.deepEqual([...withImports('index.js', 'static')].flatMap(packagesIn), []);
  });

  it('has those wait for no proxy who ask for help', () => {
    const packages = new Set([...withImports('cli.js', 'static')].flatMap(packagesIn));
    assert.ok(packages.has('yargs'));
    assert.deepEqual(
      ['mockttp', 'winston', '@peculiar/x509'].filter((name) => packages.has(name)),
      [],
    );
  });

  it('has nobody wait for what makes certificates before the proxy listens', () => {
    const having = new Set(files.filter((file) => packagesIn(file).some((name) => name.startsWith('@peculiar/'))));
    assert.ok(having.size > 0);
    const waiting = files.filter((file) =>
      importsOf(file, 'static').some((imported) => having.has(path.join(path.dirname(file), imported))),
    );
    assert.deepEqual(waiting, []);
  });

  it('has nobody wait for the engine who gives a command of an addon', () => {
    const [command] = importsOf('cli.js', 'all').filter((file) => /^\.\/addon-command-/.test(file)) as [string];
    const packages = new Set([...withImports(command, 'static')].flatMap(packagesIn));
    assert.ok(packages.has('zod'));
    assert.deepEqual(
      ['mockttp', 'winston', 'ws', 'chokidar'].filter((name) => packages.has(name)),
      [],
    );
  });

  it('sets up for nobody who does not ask for help what help is measured by', () => {
    const failing = 'data:text/javascript,Intl.Segmenter = class { constructor() { throw new Error("measured"); } };';
    const run = (...args: readonly string[]) =>
      spawnSync(process.execPath, ['--import', failing, path.join(DIST, 'cli.js'), ...args], { encoding: 'utf8' });
    const { stderr, status } = run('new');
    assert.equal(status, 2, stderr);
    assert.doesNotMatch(stderr, /measured/);
    assert.match(run('--help').stderr, /measured/);
  });
});
