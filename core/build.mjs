/**
 * Builds `dist/`: our own code, and of the packages that it takes, what a start needs. As a thousand files of their own,
 * these would take longer to find and to read than to run.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const ROOT = path.resolve(import.meta.dirname, '..');

/** They stay packages: esbuild is a program, and fsevents, for macOS, is there or not. */
const EXTERNAL = ['esbuild', 'fsevents'];

/**
 * Has esbuild required. It is CommonJS: when it is imported, Node reads all of it to find out what it exports.
 *
 * @type {import('esbuild').Plugin}
 */
const requireEsbuild = {
  name: 'require-esbuild',
  setup(builder) {
    builder.onResolve({ filter: /^esbuild$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'esbuild', namespace: 'required' } : undefined,
    );
    builder.onLoad({ filter: /./, namespace: 'required' }, ({ path: name }) => ({
      contents: `module.exports = require('${name}');`,
    }));
  },
};

/**
 * What mockttp takes for things that it is never asked for here: passing requests on, and reading their bodies; and for
 * making a CA, which it is asked for once. More than half of what it is made of; they stay packages, and load when
 * something of them is used.
 */
const RARE_IN_MOCKTTP = [
  '@peculiar/asn1-schema',
  '@peculiar/asn1-x509',
  '@peculiar/x509',
  'common-tags',
  'fast-json-patch',
  'http-encoding',
  'http2-wrapper',
  'https-proxy-agent',
  'pac-proxy-agent',
  'socks-proxy-agent',
];

/** @type {import('esbuild').Plugin} */
const loadWhenUsed = {
  name: 'load-when-used',
  setup(builder) {
    const filter = new RegExp(`^(?:${RARE_IN_MOCKTTP.join('|')})$`);
    builder.onResolve({ filter }, ({ path: name, importer }) =>
      packageOf(importer)?.name === 'mockttp' ? { path: name, namespace: 'load-when-used' } : undefined,
    );
    builder.onLoad({ filter: /./, namespace: 'load-when-used' }, ({ path: name }) => ({
      // From where mockttp is: it need not lie beside us what mockttp depends on.
      contents: `
        const load = () => require('node:module').createRequire(require.resolve('mockttp'))('${name}');
        module.exports = new Proxy({}, { get: (_, key) => load()[key] });`,
      resolveDir: ROOT,
    }));
    builder.onResolve({ filter: /^mockttp$/, namespace: 'load-when-used' }, ({ path: name }) => ({
      path: name,
      external: true,
    }));
  },
};

/**
 * How wide a text is on the console: what that goes by, in two versions, takes a tenth of a start to set up, and nobody
 * asks but help.
 *
 * @type {import('esbuild').Plugin}
 */
const measureWhenAsked = {
  name: 'measure-when-asked',
  setup(builder) {
    builder.onResolve({ filter: /^string-width$/ }, async ({ path: name, resolveDir, kind, pluginData }) => {
      if (pluginData === 'itself') return undefined;
      const { path: file } = await builder.resolve(name, { resolveDir, kind, pluginData: 'itself' });
      return { path: path.relative(ROOT, file), namespace: 'measure-when-asked' };
    });
    builder.onLoad({ filter: /./, namespace: 'measure-when-asked' }, ({ path: file }) => ({
      contents: `
        const measure = () => require(${JSON.stringify(path.resolve(ROOT, file))}).default;
        export default (...given) => measure()(...given);`,
      resolveDir: ROOT,
    }));
  },
};

/** mockttp in a folder of its name, by which its words on the console are known: see `core/engine/mockttp.ts`. */
const MOCKTTP = { 'mockttp/parts': 'core/engine/mockttp-parts.ts' };

/** @type {import('esbuild').Plugin} */
const mockttpApart = {
  name: 'mockttp-apart',
  setup(builder) {
    builder.onResolve({ filter: /\/mockttp-parts\.ts$/ }, ({ kind }) =>
      kind === 'entry-point' ? undefined : { path: './mockttp/parts.js', external: true },
    );
  },
};

/** Maps lead to our sources only: of packages, what is built is as readable as what it is built from. */
const NO_MAP = `\n//# sourceMappingURL=data:application/json;base64,${btoa('{"version":3,"sources":[""],"sourcesContent":[""],"names":[],"mappings":"AAAA"}')}`;

/** @type {import('esbuild').Plugin} */
const packagesUnmapped = {
  name: 'packages-unmapped',
  setup(builder) {
    builder.onLoad({ filter: /[\\/]node_modules[\\/].*\.[cm]?js$/ }, ({ path: file }) => ({
      contents: readFileSync(file, 'utf8') + NO_MAP,
      loader: 'js',
    }));
  },
};

/** The package that a file belongs to; undefined for one of ours. */
function packageOf(file) {
  const folder = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(path.resolve(ROOT, file))?.[0];
  if (folder === undefined) return undefined;
  return { folder, ...JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) };
}

/** The licenses of all packages of which something is in the build: most want to be passed on with it. */
function licensesOf({ outputs }) {
  const inputs = new Set(Object.values(outputs).flatMap((output) => Object.keys(output.inputs)));
  // What has a namespace is written here.
  const files = [...inputs].filter((input) => !/^[\w-]+:/.test(input));
  const packages = new Map();
  for (const file of files) {
    const found = packageOf(file);
    if (found !== undefined) packages.set(`${found.name} ${found.version}`, found);
  }
  const texts = [...packages].sort().map(([title, { folder, license, author }]) => {
    const notices = readdirSync(folder).filter((name) => /^(?:licen[cs]e|copying|notice)/i.test(name));
    const said = notices.map((name) => readFileSync(path.join(folder, name), 'utf8').trim());
    const named = `${license ?? ''}, ${author?.name ?? author ?? ''}`;
    return `# ${title}\n\n${said.join('\n\n') || named}\n`;
  });
  return texts.join('\n\n');
}

const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: { cli: 'core/cli.ts', index: 'core/index.ts', testing: 'test/kit.ts', ...MOCKTTP },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: EXTERNAL,
  // Packages that are CommonJS ask for Node's modules by it.
  banner: {
    js: `import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);`,
  },
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
  plugins: [mockttpApart, requireEsbuild, loadWhenUsed, measureWhenAsked, packagesUnmapped],
});
writeFileSync(path.join(ROOT, 'dist/licenses.txt'), licensesOf(metafile));
