import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Loader, type Message, type Plugin } from 'esbuild';
import { errors } from './errors.ts';
import { describePath } from './stack.ts';

export interface Compiled {
  /** CommonJS, with an inline source map; npm packages are left to be required. */
  readonly code: string;
  /** The author's files that went into it, absolute: an edit of any of them asks for a new build. */
  readonly inputs: ReadonlySet<string>;
  /** When it began to read them, in milliseconds since the epoch. */
  readonly readAtMs: number;
}

/** A failed build still knows which files to watch: those it had read, and those it looked for. */
export type CompileFailure = Error & Partial<Pick<Compiled, 'inputs' | 'readAtMs'>>;

/**
 * Bundles a script and the files it imports by relative path.
 *
 * @throws InsightError `scriptMissing`, or `doesNotCompile` with file, line and column; with `inputs` to watch
 */
export async function compile(entry: string): Promise<Compiled> {
  const seen = new Set<string>([entry]);
  const readAtMs = Date.now();
  try {
    const result = await build({
      entryPoints: [entry],
      // Inputs in the metafile are relative to this.
      absWorkingDir: path.dirname(entry),
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      packages: 'external',
      sourcemap: 'inline',
      sourcesContent: false,
      logLevel: 'silent',
      define: { 'import.meta.url': IMPORT_META_URL },
      outfile: `${entry}.cjs`,
      plugins: [rememberImports(seen), giveImportMeta()],
    });
    const inputs = Object.keys(result.metafile.inputs).map((input) => path.resolve(path.dirname(entry), input));
    // Behind a symbolic link, the file that counts and the link itself may both change.
    return { code: result.outputFiles[0]?.text ?? '', inputs: new Set([entry, ...inputs]), readAtMs };
  } catch (failure) {
    const [first] = (failure as { errors?: Message[] }).errors ?? [];
    const error = first === undefined ? failure : describe(entry, first);
    throw Object.assign(error as Error, { inputs: seen, readAtMs }) satisfies CompileFailure;
  }
}

function describe(entry: string, { text, location }: Message): Error {
  if (location === null) {
    return /Could not (resolve|read from file)/.test(text)
      ? errors.scriptMissing(describePath(entry))
      : errors.doesNotCompile(describePath(entry), text, '');
  }
  const file = describePath(path.resolve(path.dirname(entry), location.file));
  // esbuild counts columns from 0, editors from 1.
  const where = `${file}:${location.line}:${location.column + 1}`;
  const hint = text.startsWith('Top-level await') ? ': await it in load() or running() instead' : '';
  return errors.doesNotCompile(where, hint === '' ? text : 'top-level await cannot be used in an addon', hint);
}

/** Notes each relative import, so that a failed build is tried again when a missing file turns up. */
function rememberImports(seen: Set<string>): Plugin {
  return {
    name: 'remember-imports',
    setup(builder) {
      builder.onResolve({ filter: /^\.{1,2}\// }, ({ path: specifier, resolveDir }) => {
        seen.add(path.resolve(resolveDir, specifier));
        return undefined;
      });
    },
  };
}

const IMPORT_META_URL = '__importMetaUrl';

/**
 * esbuild leaves `import.meta` empty in CommonJS. Files that ask for their URL get it as a constant, on their first line
 * so that all others keep their numbers.
 */
function giveImportMeta(): Plugin {
  return {
    name: 'give-import-meta',
    setup(builder) {
      builder.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: 'file' }, async ({ path: file }) => {
        const text = await readFile(file, 'utf8');
        if (!text.includes('import.meta.url')) return undefined;
        const url = JSON.stringify(pathToFileURL(await realpath(file)).href);
        const loader = path.extname(file).replace(/^\.[cm]?/, '') as Loader;
        return { contents: `const ${IMPORT_META_URL} = ${url};${text}`, loader };
      });
    },
  };
}
