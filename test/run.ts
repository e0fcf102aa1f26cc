/**
 * Runs the tests: all of them, or those whose path holds one of the words given.
 *
 *     npm test -- loader auth
 */
import { readdirSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { buildInto } from './built.ts';

/** No test file may take longer than this. */
const FILE_TIMEOUT_MS = 120_000;

/** In their order: the files in a folder, and how many of them run at once. */
const PARTS = [
  // They wait more than they work.
  { folder: '', atOnce: 5 },
  // Each keeps a processor busy.
  { folder: 'endurance', atOnce: 2 },
  // They measure what is left behind, or put load on, and have the machine for themselves.
  { folder: 'leak', atOnce: 1 },
];

const words = process.argv.slice(2);
const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();
if (files.length === 0) throw new Error(`no test file matches ${words.join(' ')}`);

// Node starts each test with what it was started with itself: they need no compiler any more.
process.execArgv = ['--enable-source-maps'];
const built = await buildInto('test', files);

const partOf = (file: string) => PARTS.findLast(({ folder }) => file.startsWith(folder));
for (const part of PARTS) {
  const some = built.filter((_, i) => partOf(files[i] as string) === part);
  if (some.length === 0) continue;
  const tests = run({ files: some, concurrency: part.atOnce, timeout: FILE_TIMEOUT_MS }).on('test:fail', () => {
    process.exitCode = 1;
  });
  await pipeline(tests, new spec(), process.stdout, { end: false });
}
