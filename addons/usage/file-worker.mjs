/**
 * Writes files in a thread of its own. It is JavaScript, because a thread begins with a file that Node can run, whatever
 * has compiled the addon.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { writeBatch } from './batch.mjs';
import { RecordJournal } from './record-journal.mjs';

const journal = new RecordJournal(workerData);

parentPort?.on('message', async (/** @type {import('./file-thread.ts').Batch | 'end'} */ message) => {
  if (message !== 'end') {
    parentPort?.postMessage(writeBatch(message, journal));
    return;
  }
  await journal.close();
  parentPort?.close();
});
