/** Files that are there whole or not at all, step by step. */
import { randomUUID } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';

/** For their owner only. */
export const FILE_MODE = 0o600;
export const FOLDER_MODE = 0o700;

/**
 * Writes a file beside its place, and makes the folder where it is missing: most times, it is not.
 *
 * @param {string} file
 * @param {Uint8Array} bytes
 * @returns {string} where it is; nothing is there if this throws
 */
export function writeBeside(file, bytes) {
  const beside = `${file}.${randomUUID()}.tmp`;
  try {
    writeNew(beside, bytes);
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ENOENT') throw error;
    mkdirSync(path.dirname(file), { recursive: true, mode: FOLDER_MODE });
    writeNew(beside, bytes);
  }
  return beside;
}

/**
 * Puts what was written beside a file into its place.
 *
 * @param {string} beside
 * @param {string} file
 * @param {boolean} isForced it is to be on the disk by then; nothing is there if this throws
 */
export function putInPlace(beside, file, isForced) {
  try {
    if (isForced) force(beside);
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/**
 * On a disk that is full, `write(2)` takes what there is room for and does not fail; so it is asked until it has taken
 * everything, or says that it cannot.
 *
 * @param {number} fd
 * @param {Uint8Array} bytes
 */
export function writeAll(fd, bytes) {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** @param {string} file */
function force(file) {
  // Windows forces to the disk only what may be written to.
  const fd = openSync(file, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * @param {string} file
 * @param {Uint8Array} bytes
 */
function writeNew(file, bytes) {
  const fd = openSync(file, 'wx', FILE_MODE);
  try {
    writeAll(fd, bytes);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
}
