import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './proxy-process.ts';

const run = promisify(execFile);

export const TSC = path.join(ROOT, 'node_modules/.bin/tsc');

/** Puts the package into a folder's `node_modules` as `npm install insight-dump` does: built, with types, without source. */
export async function installInto(folder: string): Promise<void> {
  const modules = path.join(folder, 'node_modules');
  const own = path.join(modules, 'insight-dump');
  await mkdir(own, { recursive: true });
  const manifest = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8'));
  for (const each of ['package.json', ...manifest.files]) {
    const isOtherTypes = (file: string) => file.startsWith(path.join(ROOT, 'dist/types'));
    await cp(path.join(ROOT, each), path.join(own, each), { recursive: true, filter: (file) => !isOtherTypes(file) });
  }
  for (const dependency of Object.keys(manifest.dependencies)) {
    const link = path.join(modules, dependency);
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(path.join(ROOT, 'node_modules', dependency), link);
  }
  await mkdir(path.join(modules, '.bin'));
  await symlink('../insight-dump/dist/cli.js', path.join(modules, '.bin/insight-dump'));
  await run(TSC, ['-p', path.join(ROOT, 'core/tsconfig.json'), '--outDir', path.join(own, 'dist/types')]);
}
