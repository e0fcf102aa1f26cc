/** Runs a test file against packages in which something has been changed. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { build } from 'esbuild';
import { makeFolder, ROOT } from './proxy-process.ts';

/** Replaces every `from` in a file below `node_modules`. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Outcome {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** All that was printed. */
  readonly output: string;
}

/**
 * Bundles a test file with what it imports, but for packages.
 *
 * @returns its text, for `runDoctored`
 */
export async function bundleTest(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path.join(ROOT, file)],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
  });
  return outputFiles[0]?.text ?? '';
}

/**
 * Runs the tests of a bundle with copies of these packages in which something is changed.
 *
 * @throws when there is nothing to replace: then the changes are for another version of the package
 */
export async function runDoctored(
  bundle: string,
  packages: readonly string[],
  changes: readonly Change[],
): Promise<Outcome> {
  const folder = makeFolder({ 'contract.test.mjs': bundle });
  const modules = path.join(folder, 'node_modules');
  try {
    await copyPackages(modules, packages);
    for (const change of changes) await apply(modules, change);
    return await runTests('contract.test.mjs', folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const WITHOUT_TYPES = { recursive: true, filter: (file: string) => !/\.(?:d\.ts|map)$/.test(file) };

/** Links to all packages, but copies of some: what a package requires is looked for beside where it really is. */
async function copyPackages(modules: string, copied: readonly string[]): Promise<void> {
  const original = path.join(ROOT, 'node_modules');
  const scopes = new Set(copied.filter((name) => name.startsWith('@')).map((name) => path.dirname(name)));
  const names = (await readdir(original)).filter((name) => !scopes.has(name));
  for (const scope of scopes) {
    await mkdir(path.join(modules, scope), { recursive: true });
    for (const name of await readdir(path.join(original, scope))) names.push(path.join(scope, name));
  }
  await mkdir(modules, { recursive: true });
  for (const name of names) {
    const [from, to] = [path.join(original, name), path.join(modules, name)];
    if (!copied.includes(name)) await symlink(from, to);
    else
      for (const part of ['package.json', 'dist']) await cp(path.join(from, part), path.join(to, part), WITHOUT_TYPES);
  }
}

async function apply(modules: string, { file, from, to }: Change): Promise<void> {
  const text = await readFile(path.join(modules, file), 'utf8');
  if (!text.includes(from))
    throw new Error(`${file} has no ${JSON.stringify(from)} any more: find out what has changed`);
  await writeFile(path.join(modules, file), text.replaceAll(from, to));
}

function runTests(file: string, cwd: string): Promise<Outcome> {
  const args = ['--test-force-exit', '--test-reporter', 'tap', file];
  // With it, the child would take itself for a test of this run, and report to nobody.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd, env, maxBuffer: 16 * 1024 * 1024 }, (_error, stdout, stderr) => {
      const named = (word: string) => [...stdout.matchAll(new RegExp(`^ +${word} \\d+ - (.*)$`, 'gm'))];
      const namesOf = (word: string) => named(word).map(([, name = '']) => name.replaceAll('\\#', '#'));
      const passed = namesOf('ok').filter((name) => !name.includes(' # SKIP'));
      resolve({ passed, failed: namesOf('not ok'), output: stdout + stderr });
    });
  });
}
