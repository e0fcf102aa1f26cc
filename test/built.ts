/**
 * Tests, and what they start, as plain JavaScript in a few files. Compiled as they load, with all that they import as
 * files of their own, most tests would take longer to load than to run.
 */
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { ROOT } from './proxy-process.ts';

/** They stay packages: programs, what is tested as a package, and what is there or not. */
const EXTERNAL = ['esbuild', 'mockttp', 'playwright-core', 'typescript', 'bufferutil', 'utf-8-validate'];

/** Packages that are CommonJS ask for Node's modules by it. */
const REQUIRE = `import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);`;

/** What takes the place of what a module knows of itself. */
const PLACE = { 'import.meta.dirname': '$dirname', 'import.meta.url': '$url' };

/** Has files know where their source is, which is beside what they read and start. */
const inPlace: Plugin = {
  name: 'in-place',
  setup(builder) {
    builder.onLoad({ filter: /\.m?[jt]s$/ }, ({ path: file }) => {
      const text = readFileSync(file, 'utf8');
      if (!text.includes('import.meta.')) return undefined;
      const place = [path.dirname(file), pathToFileURL(file).href].map((each) => JSON.stringify(each));
      return { contents: `const [$dirname, $url] = [${place}]; ${text}`, loader: file.endsWith('.ts') ? 'ts' : 'js' };
    });
  },
};

/**
 * Builds files of `test/` into a folder of `dist/`, from where packages are found, in place of what was there.
 *
 * @param files paths below `test/`
 * @returns the paths of what they have become, in the same order
 */
export async function buildInto(folder: string, files: readonly string[]): Promise<string[]> {
  const outdir = path.join(ROOT, 'dist', folder);
  rmSync(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: ROOT,
    entryPoints: files.map((file) => path.join('test', file)),
    outbase: 'test',
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: EXTERNAL,
    define: PLACE,
    banner: { js: REQUIRE },
    sourcemap: true,
    logLevel: 'warning',
    plugins: [inPlace],
  });
  return files.map((file) => path.join(outdir, file.replace(/\.ts$/, '.mjs')));
}
