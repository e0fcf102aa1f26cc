import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Credentials } from './basic.ts';
import { Turns } from './turns.ts';

/** Leaves a processor to the traffic. */
const MAX_THREADS = Math.max(1, Math.min(2, availableParallelism() - 1));
const THREAD_IDLE_MS = 30_000;
/** Checks that may wait, and those of them that may come from one address: behind it may be a whole company. */
const MAX_WAITING = 500;
const MAX_WAITING_OF_ONE = 250;
/** Clients are told so before a hook's time limit is over. */
const MAX_WAIT_MS = 5_000;

/** More checks are asked for than can be made. */
export class TooManyChecks extends Error {
  override readonly name = 'TooManyChecks';
}

interface Job {
  readonly hash: string;
  readonly password: string;
  readonly sinceMs: number;
  settle(result: boolean | Error): void;
}

interface Thread {
  readonly worker: Worker;
  job: Job | undefined;
  idle: NodeJS.Timeout | undefined;
}

/**
 * Checks passwords against hashes in threads that are there when they are needed. Who asks takes turns, so that one that
 * keeps on guessing does not keep others waiting.
 */
export class HashChecks {
  readonly #threads: Thread[] = [];
  readonly #waiting = new Turns<Job>();

  /**
   * @param address who asks, among others who take turns; so do the users at one address
   * @throws TooManyChecks when too many are waiting, or this one has waited for too long
   */
  async check(address: string, { user, password }: Credentials, hash: string): Promise<boolean> {
    if (this.#waiting.size() >= MAX_WAITING || this.#waiting.size(address) >= MAX_WAITING_OF_ONE)
      throw new TooManyChecks();
    return new Promise((resolve, reject) => {
      const settle = (result: boolean | Error) => (result instanceof Error ? reject(result) : resolve(result));
      this.#waiting.put([address, user], { hash, password, sinceMs: performance.now(), settle });
      this.#next();
    });
  }

  /** Gives the thread a job, if there is one. */
  #next(thread = this.#threads.find(({ job }) => job === undefined) ?? this.#begin()): void {
    if (thread === undefined) return;
    clearTimeout(thread.idle);
    const job = this.#take();
    thread.job = job;
    if (job === undefined) {
      thread.idle = setTimeout(() => this.#end(thread), THREAD_IDLE_MS).unref();
      return;
    }
    thread.worker.ref();
    thread.worker.postMessage({ hash: job.hash, password: job.password });
  }

  /** The next job; those that have waited for too long are turned away. */
  #take(): Job | undefined {
    for (;;) {
      const job = this.#waiting.take();
      if (job === undefined || performance.now() - job.sinceMs < MAX_WAIT_MS) return job;
      job.settle(new TooManyChecks());
    }
  }

  #begin(): Thread | undefined {
    if (this.#waiting.size() === 0 || this.#threads.length >= MAX_THREADS) return undefined;
    const worker = new Worker(new URL('./hash-worker.mjs', import.meta.url), { execArgv: [] });
    const thread: Thread = { worker, job: undefined, idle: undefined };
    this.#threads.push(thread);
    worker.on('message', (isRight: boolean) => {
      // An idle one is no reason for the process to go on.
      worker.unref();
      thread.job?.settle(isRight);
      this.#next(thread);
    });
    worker.on('error', (error) => this.#lost(thread, error));
    worker.on('exit', (code) => this.#lost(thread, new Error(`the thread that checks passwords ended with ${code}`)));
    return thread;
  }

  #end(thread: Thread): void {
    this.#threads.splice(this.#threads.indexOf(thread), 1);
    void thread.worker.terminate();
  }

  #lost(thread: Thread, error: Error): void {
    const at = this.#threads.indexOf(thread);
    if (at < 0) return;
    this.#threads.splice(at, 1);
    clearTimeout(thread.idle);
    thread.job?.settle(error);
    this.#next();
  }
}
