/**
 * Lets many files be forced to the disk at once. They are written to a journal, which is, and to their places, which are
 * not; a journal is deleted when the system has written to their places all that is in it.
 */
import { closeSync, fdatasyncSync, fstatSync, fsyncSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootId, frameOf, headOf, journalFolder, journalName } from './journal-format.mjs';
import { settle } from './settling.mjs';
import { FILE_MODE, FOLDER_MODE, writeAll } from './whole-file.mjs';

/** One that has become as large or as old is followed by another. */
const MAX_BYTES = 32 * 1024 * 1024;
const MAX_AGE_MS = 30_000;
/** More than so many do not wait for the disk. */
const MAX_SETTLING = 4;
/** What did not work is not tried again at once. */
const RETRY_PAUSE_MS = 30_000;

/** @typedef {{ file: string, fd: number, bytes: number, records: string[], age: NodeJS.Timeout }} Journal */

export class RecordJournal {
  #logs;
  #worker;
  /** @type {Journal | undefined} */
  #current;
  /** @type {Pick<Journal, 'file' | 'records'>[]} */
  #finished = [];
  /** @type {Promise<void> | undefined} */
  #settling;
  #retryAtMs = 0;
  #end = new AbortController();

  /** @param {import('./file-thread.ts').JournalPlace} place */
  constructor({ logs, worker }) {
    this.#logs = logs;
    this.#worker = worker;
  }

  /**
   * Takes files that are about to be put into their places, all before the next call.
   *
   * @param {readonly { file: string, bytes: Uint8Array }[]} files
   * @returns whether they survive a loss of power from now on; where not, each has to be forced to the disk by itself
   */
  append(files) {
    if (this.#current !== undefined && isOver(this.#current)) this.#finish();
    if (performance.now() < this.#retryAtMs || this.#finished.length >= MAX_SETTLING) return false;
    try {
      this.#current ??= this.#begin(path.dirname(files[0]?.file ?? this.#logs));
      const frame = frameOf(files.map(({ file, bytes }) => ({ name: path.relative(this.#logs, file), bytes })));
      this.#current.bytes += frame.length;
      for (const { file } of files) this.#current.records.push(file);
      writeAll(this.#current.fd, frame);
      fdatasyncSync(this.#current.fd);
      return true;
    } catch {
      // What is torn in it is the last of it.
      this.#finish();
      this.#retryAtMs = performance.now() + RETRY_PAUSE_MS;
      return false;
    }
  }

  /** Resolves when there is no journal any more; or when that did not work, and they wait for the next start. */
  async close() {
    this.#end.abort();
    this.#finish();
    await this.#settling;
  }

  /** @param {string} recordsFolder */
  #begin(recordsFolder) {
    const folder = journalFolder(this.#logs);
    mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
    // Who has put records on a disk of their own wants them nowhere else.
    if (statSync(folder).dev !== statSync(recordsFolder).dev) throw new Error('records lie on another disk');
    const file = path.join(folder, journalName(this.#worker, process.pid));
    const fd = openSync(file, 'ax', FILE_MODE);
    const age = setTimeout(() => this.#finish(), MAX_AGE_MS).unref();
    this.#current = { file, fd, bytes: 0, records: [], age };
    writeAll(fd, headOf(bootId()));
    for (const each of [folder, this.#logs]) forceNames(each);
    return this.#current;
  }

  #finish() {
    const journal = this.#current;
    if (journal !== undefined) {
      this.#current = undefined;
      clearTimeout(journal.age);
      closeSync(journal.fd);
      this.#finished.push(journal);
    }
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
  }

  async #settle() {
    while (this.#finished.length > 0) {
      const some = [...this.#finished];
      try {
        await settle(some.flatMap(({ records }) => records));
        for (const { file } of some) rmSync(file, { force: true });
        this.#finished.splice(0, some.length);
      } catch {
        if (this.#end.signal.aborted) return;
        await sleep(RETRY_PAUSE_MS, undefined, { signal: this.#end.signal, ref: false }).catch(() => {});
      }
    }
  }
}

/**
 * It is large, or somebody has deleted it: what is written to it then is nowhere.
 *
 * @param {Journal} journal
 */
function isOver({ fd, bytes }) {
  return bytes >= MAX_BYTES || fstatSync(fd).nlink === 0;
}

/**
 * That there is a new file in a folder is to be on the disk, too. Windows cannot be asked for that.
 *
 * @param {string} folder
 */
function forceNames(folder) {
  if (process.platform === 'win32') return;
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
