/**
 * Writes files in a thread of its own. It is JavaScript, because a thread begins with a file that Node can run, whatever
 * has compiled the addon.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { parentPort } from 'node:worker_threads';

/** For their owner only. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

parentPort?.on('message', (/** @type {import('./file-thread.ts').Batch} */ { files, content }) => {
  let at = 0;
  const outcomes = files.map(({ file, isSynced, length }) => {
    const bytes = content.subarray(at, at + length);
    at += length;
    try {
      inFolder(path.dirname(file), () => writeWhole(file, bytes, isSynced));
      return undefined;
    } catch (error) {
      const { message, code } = /** @type {NodeJS.ErrnoException} */ (error);
      return { message, code };
    }
  });
  parentPort?.postMessage(outcomes);
});

/**
 * Makes the folder where it is missing: most times, it is not.
 *
 * @param {string} folder
 * @param {() => void} write
 */
function inFolder(folder, write) {
  try {
    write();
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    write();
  }
}

/**
 * Beside its place first, and into it once all is on the disk. On a disk that is full, `write(2)` takes what there is
 * room for and does not fail; so it is asked until it has taken everything, or says that it cannot.
 *
 * @param {string} file
 * @param {Uint8Array} bytes
 * @param {boolean} isSynced
 */
function writeWhole(file, bytes, isSynced) {
  const beside = `${file}.${randomUUID()}.tmp`;
  try {
    const fd = openSync(beside, 'wx', FILE_MODE);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
      if (isSynced) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}
