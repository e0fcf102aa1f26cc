import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

/** A file that is to be there whole or not at all. */
export interface WholeFile {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** It is to survive a loss of power. */
  readonly isSynced: boolean;
}

/** What the thread is sent: one piece of memory for all files, which becomes its own. */
export interface Batch {
  readonly files: readonly { readonly file: string; readonly isSynced: boolean; readonly length: number }[];
  readonly content: Uint8Array<ArrayBuffer>;
}

/** Where the journal of a thread belongs. */
export interface JournalPlace {
  /** The folder for logs: all files are to be below it. */
  readonly logs: string;
  /** The number of the worker. */
  readonly worker: number;
}

/** Of each file, in order. */
export type Outcome = { readonly message: string; readonly code: string | undefined } | undefined;

interface Job extends WholeFile {
  resolve(): void;
  reject(error: Error): void;
}

/** What comes meanwhile is written next, together: each batch wakes up this thread and the traffic's. */
const GATHER_MS = 5;
const THREAD_IDLE_MS = 30_000;

/**
 * Writes many small files, in a thread that is there when it is needed. Node's own promises take some 50 microseconds of
 * the traffic's thread for each of the steps that a file takes; here, all that wait go over together, and there they are
 * written one after the other.
 */
export class FileThread {
  #waiting: Job[] = [];
  #underWay: Job[] = [];
  #worker: Worker | undefined;
  /** That of the files under way: another may have been begun since. */
  #writer: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  readonly #place: JournalPlace;

  constructor(place: JournalPlace) {
    this.#place = place;
  }

  /** @throws the system's error; nothing is there then */
  write(whole: WholeFile): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...whole, resolve, reject });
      if (this.#waiting.length === 1) setTimeout(() => this.#next(), GATHER_MS);
    });
  }

  /**
   * Ends the thread, once all that it has written is on the disk without its journal, or after `limitMs`; the journal
   * waits for the next start then. What is written later gets another thread.
   */
  async end(limitMs: number): Promise<void> {
    const worker = this.#letGo();
    if (worker === undefined) return;
    worker.ref();
    await Promise.race([once(worker, 'exit'), sleep(limitMs, undefined, { ref: false })]).catch(() => {});
    worker.unref();
  }

  #next(): void {
    if (this.#underWay.length > 0 || this.#waiting.length === 0) return;
    const jobs = this.#waiting;
    this.#waiting = [];
    this.#underWay = jobs;
    clearTimeout(this.#idle);
    this.#worker ??= this.#begin();
    this.#worker.ref();
    this.#writer = this.#worker;
    const batch = batchOf(jobs);
    this.#worker.postMessage(batch, [batch.content.buffer]);
  }

  #begin(): Worker {
    const worker = new Worker(new URL('./file-worker.mjs', import.meta.url), {
      execArgv: [],
      workerData: this.#place,
    });
    worker.on('message', (outcomes: readonly Outcome[]) => this.#settle(outcomes));
    const lost = (error: Error) => {
      if (this.#worker === worker) this.#worker = undefined;
      if (this.#writer === worker)
        this.#settle(this.#underWay.map(() => ({ message: error.message, code: undefined })));
    };
    worker.on('error', lost);
    worker.on('exit', (code) => lost(new Error(`the thread that writes records ended with ${code}`)));
    return worker;
  }

  #settle(outcomes: readonly Outcome[]): void {
    const jobs = this.#underWay;
    this.#underWay = [];
    this.#writer = undefined;
    for (const [i, { resolve, reject }] of jobs.entries()) {
      const failure = outcomes[i];
      if (failure === undefined) resolve();
      else reject(Object.assign(new Error(failure.message), { code: failure.code }));
    }
    // An idle one is no reason for the process to go on.
    this.#worker?.unref();
    this.#idle = setTimeout(() => this.#letGo(), THREAD_IDLE_MS).unref();
    this.#next();
  }

  /** It ends by itself, in order. */
  #letGo(): Worker | undefined {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    worker?.postMessage('end');
    return worker;
  }
}

function batchOf(jobs: readonly WholeFile[]): Batch {
  const size = jobs.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const content = new Uint8Array(size);
  let at = 0;
  for (const { bytes } of jobs) {
    content.set(bytes, at);
    at += bytes.length;
  }
  return { files: jobs.map(({ file, isSynced, bytes }) => ({ file, isSynced, length: bytes.length })), content };
}
