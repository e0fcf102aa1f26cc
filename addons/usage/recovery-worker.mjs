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

const journals = [];
for (const name of names) {
  const of = readJournalName(name);
  if (of !== undefined && !isOurs(of.worker)) continue;
  const file = path.join(folder, name);
  const journal = of && readJournal(readFileSync(file));
  if (of === undefined || journal === undefined) {
    // A loss of power can leave a file whose bytes have not come to the disk.
    if (of !== undefined && readFileSync(file).every((byte) => byte === 0)) rmSync(file, { force: true });
    else if (worker.number === 1) recovered.unknown.push(name);
  } else if (!isAlive(of.pid, journal.boot)) {
    const files = journal.files.map(({ name, bytes }) => ({ file: path.join(logs, name), bytes }));
    journals.push({ file, files: files.filter((each) => isBelow(logs, each.file)), boot: journal.boot });
  }
}
for (const journal of journals) {
  // What the system has taken, it writes as long as it is not started anew; and what is missing has been deleted since.
  const isSafe = journal.boot === boot && boot !== '-';
  const failed = isSafe ? [] : journal.files.filter(({ file, bytes }) => !restore(file, bytes));
  if (failed.length > 0) continue;
  try {
    const folders = new Set(journal.files.map(({ file }) => path.dirname(file)));
    await settle(folders, () => journal.files.map(({ file }) => file));
    rmSync(journal.file, { force: true });
  } catch (error) {
    fail(error);
  }
}
parentPort?.postMessage(recovered);

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
