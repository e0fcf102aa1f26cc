/** Writes the files that have come together. */
import { putInPlace, writeBeside } from './whole-file.mjs';

/**
 * Writes files, each by itself: one that cannot be written keeps no other from it. Those that are to survive a loss of
 * power are in the journal before they are in their places, or else forced to the disk one by one.
 *
 * @param {import('./file-thread.ts').Batch} batch
 * @param {Pick<import('./record-journal.mjs').RecordJournal, 'append'>} journal
 * @returns {import('./file-thread.ts').Outcome[]} of each file, in order
 */
export function writeBatch({ files, content }, journal) {
  /** @type {import('./file-thread.ts').Outcome[]} */
  const outcomes = files.map(() => undefined);
  const beside = [];
  let at = 0;
  for (const [i, { file, isSynced, length }] of files.entries()) {
    const bytes = content.subarray(at, at + length);
    at += length;
    try {
      beside.push({ i, file, isSynced, bytes, at: writeBeside(file, bytes) });
    } catch (error) {
      outcomes[i] = told(error);
    }
  }
  const synced = beside.filter(({ isSynced }) => isSynced);
  const isJournaled = synced.length > 0 && journal.append(synced);
  for (const each of beside) {
    try {
      putInPlace(each.at, each.file, each.isSynced && !isJournaled);
    } catch (error) {
      outcomes[each.i] = told(error);
    }
  }
  return outcomes;
}

/**
 * What is left of an error on the way to another thread.
 *
 * @param {unknown} error
 */
function told(error) {
  const { message, code } = /** @type {NodeJS.ErrnoException} */ (error);
  return { message, code };
}
