/**
 * Runs the tests: all of them, or those whose path holds one of the words given.
 *
 *     npm test -- loader auth
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** No test file may take longer than this. */
const FILE_TIMEOUT_MS = 120_000;

/** They wait more than they work. */
const FILES_AT_ONCE = 4;

const words = process.argv.slice(2);
const files = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort()
  .map((file) => path.join(import.meta.dirname, file));
if (files.length === 0) throw new Error(`no test file matches ${words.join(' ')}`);

run({ files, concurrency: FILES_AT_ONCE, timeout: FILE_TIMEOUT_MS })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .pipe(new spec())
  .pipe(process.stdout);
