import { Worker } from 'node:worker_threads';
import { SECRET_PATTERNS } from './secret-patterns.ts';

/** Exchanges that may wait: what they hold is in memory. */
const MAX_WAITING = 100;
const THREAD_IDLE_MS = 30_000;

interface Job {
  readonly said: object;
  settle(result: object): void;
}

/** Masks secrets in what was said, one exchange after the other, in a thread that is there when it is needed. */
export class Masking {
  readonly #waiting: Job[] = [];
  #worker: Worker | undefined;
  #current: Job | undefined;
  #idle: NodeJS.Timeout | undefined;

  /** @throws when it takes longer than that, waiting included; when too many wait; when it cannot be done */
  mask<Said extends object>(said: Said, limitMs: number): Promise<Said> {
    if (this.#waiting.length >= MAX_WAITING) return Promise.reject(new Error(`${MAX_WAITING} exchanges wait already`));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        job.settle(new Error(`it took more than ${limitMs} ms`));
        // Only by its end does a thread stop what it does.
        if (this.#current === job) this.close();
      }, limitMs);
      const job: Job = {
        said,
        settle: (result) => {
          clearTimeout(timer);
          if (this.#waiting.includes(job)) this.#waiting.splice(this.#waiting.indexOf(job), 1);
          if (result instanceof Error) reject(result);
          else resolve(result as Said);
        },
      };
      this.#waiting.push(job);
      this.#next();
    });
  }

  /** Ends the thread. What waits gets another. */
  close(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    clearTimeout(this.#idle);
    this.#current?.settle(new Error('it was stopped'));
    this.#current = undefined;
    void worker?.terminate();
    this.#next();
  }

  #next(): void {
    if (this.#current !== undefined) return;
    const job = this.#waiting.shift();
    if (job === undefined) {
      this.#worker?.unref();
      return;
    }
    clearTimeout(this.#idle);
    this.#current = job;
    this.#worker ??= this.#begin();
    this.#worker.ref();
    try {
      this.#worker.postMessage(job.said);
    } catch (error) {
      this.#done(error as Error);
    }
  }

  #begin(): Worker {
    const workerData = { patterns: SECRET_PATTERNS };
    const worker = new Worker(new URL('./mask-worker.mjs', import.meta.url), { execArgv: [], workerData });
    worker.on('message', ({ said, error }: { said?: object; error?: string }) => {
      if (this.#worker === worker) this.#done(said ?? new Error(error));
    });
    const lost = (error: Error) => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      if (this.#current !== undefined) this.#done(error);
    };
    worker.on('error', lost);
    worker.on('exit', (code) => lost(new Error(`the thread that masks ended with ${code}`)));
    return worker;
  }

  #done(result: object): void {
    this.#current?.settle(result);
    this.#current = undefined;
    this.#idle = setTimeout(() => this.#current === undefined && this.close(), THREAD_IDLE_MS).unref();
    this.#next();
  }
}
