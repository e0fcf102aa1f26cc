/** Goes through the journals that were left behind, in a thread of its own, and tells what it has found. */
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { bootId, journalFolder, readJournal, readJournalName } from './journal-format.mjs';
import { settle } from './settling.mjs';
import { putInPlace, writeBeside } from './whole-file.mjs';

const { logs, worker, names } = /** @type {import('./recovery.ts').LeftBehind & { names: string[] }} */ (workerData);
const folder = journalFolder(logs);
const boot = bootId();
/** @type {import('./recovery.ts').Recovered} */
const recovered = { rewritten: 0, unknown: [], failures: [] };

for (const name of names) {
  const of = readJournalName(name);
  if (of === undefined ? worker.number === 1 : isOurs(of.worker)) await lookAfter(name, of?.pid);
}
parentPort?.postMessage(recovered);

/**
 * @param {string} name of what lies among the journals
 * @param {number | undefined} pid of the process that wrote it; undefined for what is named as no journal is
 */
async function lookAfter(name, pid) {
  const file = path.join(folder, name);
  try {
    const bytes = pid === undefined ? undefined : readFileSync(file);
    const journal = bytes && readJournal(bytes);
    if (pid !== undefined && journal !== undefined) {
      if (!isAlive(pid, journal.boot) && (await recover(journal))) rmSync(file, { force: true });
    } else if (bytes?.every((byte) => byte === 0)) {
      // So a loss of power leaves a file whose bytes have not come to the disk.
      rmSync(file, { force: true });
    } else recovered.unknown.push(name);
  } catch (error) {
    fail(error);
  }
}

/**
 * @param {{ boot: string, files: { name: string, bytes: Buffer }[] }} journal
 * @returns whether all of it is on the disk
 */
async function recover(journal) {
  const files = journal.files
    .map(({ name, bytes }) => ({ file: path.join(logs, name), bytes }))
    .filter(({ file }) => isBelow(logs, file));
  // What the system has taken, it writes as long as it is not started anew; and what is missing has been deleted since.
  const isSafe = journal.boot === boot && boot !== '-';
  const failed = isSafe ? [] : files.filter(({ file, bytes }) => !restore(file, bytes));
  await settle(files.map(({ file }) => file));
  return failed.length === 0;
}

/**
 * Whether a journal is to be recovered here: this worker's, or one's that there is no more.
 *
 * @param {number} number the worker's that wrote it
 */
function isOurs(number) {
  return number === worker.number || (worker.number === 1 && number > worker.count);
}

/**
 * Whether the process that wrote a journal may still be at work on it.
 *
 * @param {number} pid
 * @param {string} itsBoot
 */
function isAlive(pid, itsBoot) {
  // This process has none yet: what has its id is of one before it.
  if (itsBoot !== boot || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}

/**
 * @param {string} above
 * @param {string} file
 */
function isBelow(above, file) {
  return file.startsWith(path.join(above, path.sep));
}

/**
 * @param {string} file
 * @param {Buffer} bytes
 * @returns whether it is there as it was written
 */
function restore(file, bytes) {
  try {
    if (readIfThere(file)?.equals(bytes)) return true;
    putInPlace(writeBeside(file, bytes), file, false);
    recovered.rewritten += 1;
    return true;
  } catch (error) {
    fail(error);
    return false;
  }
}

/** @param {unknown} error */
function fail(error) {
  recovered.failures.push(/** @type {Error} */ (error).message);
}

/** @param {string} file */
function readIfThere(file) {
  try {
    return readFileSync(file);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return undefined;
    throw error;
  }
}
