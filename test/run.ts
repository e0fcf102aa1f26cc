/**
 * Runs the tests: all of them, or those whose path holds one of the words given.
 *
 *     npm test -- loader auth
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { buildInto } from './built.ts';

/** No test file may take longer than this. */
const FILE_TIMEOUT_MS = 120_000;

/** They wait more than they work. */
const FILES_AT_ONCE = 4;

/** These measure what they leave behind, or put load on: they have the machine for themselves, and come last. */
const ONE_BY_ONE = `leak${path.sep}`;

const words = process.argv.slice(2);
const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();
if (files.length === 0) throw new Error(`no test file matches ${words.join(' ')}`);

// Node starts each test with what it was started with itself: they need no compiler any more.
process.execArgv = ['--enable-source-maps'];
const built = await buildInto('test', files);

for (const [concurrency, isAmong] of [
  [FILES_AT_ONCE, (file: string) => !file.startsWith(ONE_BY_ONE)],
  [1, (file: string) => file.startsWith(ONE_BY_ONE)],
] as const) {
  const some = built.filter((_, i) => isAmong(files[i] as string));
  if (some.length === 0) continue;
  const tests = run({ files: some, concurrency, timeout: FILE_TIMEOUT_MS }).on('test:fail', () => {
    process.exitCode = 1;
  });
  await pipeline(tests, new spec(), process.stdout, { end: false });
}
