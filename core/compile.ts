import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Loader, type Message, type Plugin } from 'esbuild';
import { errors } from './errors.ts';
import { describePath } from './stack.ts';
import { Stamps } from './stamps.ts';

export interface Compiled {
  /** CommonJS, with an inline source map; npm packages are left to be required. */
  readonly code: string;
  /** The author's files that went into it, absolute: an edit of any of them asks for a new build. */
  readonly inputs: ReadonlySet<string>;
  /** How they were before they were read. */
  readonly stamps: Stamps;
}

/** Where scripts are taken from. */
export interface ScriptSource {
  /** @throws as {@link compile} does */
  compile(entry: string): Promise<Compiled>;
  isThere(entry: string): boolean;
}

/** A failed build still knows what to watch: what it had read, and where it looked for more. */
export type Unbuilt = Error & Partial<Pick<Compiled, 'stamps'>>;

/**
 * Bundles a script and the files it imports by relative path.
 *
 * @throws InsightError `scriptMissing`, or `doesNotCompile` with file, line and column; with `stamps` to watch
 */
export async function compile(entry: string): Promise<Compiled> {
  const stamps = new Stamps();
  await Promise.all([stamps.take('content', entry), stamps.take('place', path.dirname(entry))]);
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
      plugins: [takeStamps(stamps), giveImportMeta()],
    });
    const inputs = Object.keys(result.metafile.inputs).map((input) => path.resolve(path.dirname(entry), input));
    stamps.drop('names');
    // Behind a symbolic link lies a file of another name; stacks may have both.
    return { code: result.outputFiles[0]?.text ?? '', inputs: new Set([entry, ...inputs]), stamps };
  } catch (failure) {
    const [first] = (failure as { errors?: Message[] }).errors ?? [];
    const error = first === undefined ? failure : describe(entry, first);
    if (!isUnresolved(first)) stamps.drop('names');
    throw Object.assign(error as Error, { stamps }) satisfies Unbuilt;
  }
}

export const ON_DISK: ScriptSource = { compile, isThere: existsSync };

/** Something is missing that may turn up. */
function isUnresolved(message: Message | undefined): boolean {
  return message !== undefined && /^Could not (resolve|read from file)/.test(message.text);
}

function describe(entry: string, message: Message): Error {
  const { text, location } = message;
  if (location === null) {
    return isUnresolved(message)
      ? errors.scriptMissing(describePath(entry))
      : errors.doesNotCompile(describePath(entry), text, '');
  }
  const file = describePath(path.resolve(path.dirname(entry), location.file));
  // esbuild counts columns from 0, editors from 1.
  const where = `${file}:${location.line}:${location.column + 1}`;
  const hint = text.startsWith('Top-level await') ? ': await it in load() or running() instead' : '';
  return errors.doesNotCompile(where, hint === '' ? text : 'top-level await cannot be used in an addon', hint);
}

/**
 * Notes each file before it is read, and each relative import as it is written: links on its way may be turned. What cannot be
 * resolved may turn up in any folder that was looked into.
 */
function takeStamps(stamps: Stamps): Plugin {
  return {
    name: 'take-stamps',
    setup(builder) {
      builder.onResolve({ filter: /^\.{1,2}\// }, async ({ path: specifier, resolveDir }) => {
        const file = path.resolve(resolveDir, specifier);
        const folder = path.dirname(file);
        await Promise.all([stamps.take('content', file), stamps.take('place', folder), stamps.take('names', folder)]);
        return undefined;
      });
      builder.onLoad({ filter: /./, namespace: 'file' }, async ({ path: file }) => {
        await stamps.take('content', file);
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
