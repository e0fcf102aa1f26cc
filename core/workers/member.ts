import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type net from 'node:net';
import type { LogLine } from '../log.ts';
import type { Greeting } from '../master.ts';
import { errorOf, type TakeIn, type ToPrimary, type ToWorker } from './messages.ts';
import type { ListenAddress } from './part.ts';

/** What a worker says that is for others. */
export interface Heard {
  line(line: LogLine): void;
  tell(addon: string, message: unknown, from: Member): void;
  listen(to: ListenAddress, from: Member): void;
}

/** Addons have time limits; so long it takes only where something blocks the process. */
const ANSWER_LIMIT_MS = 120_000;

/** The primary's side of one worker. */
export class Member {
  readonly number: number;
  /** Rejects when it cannot start. */
  readonly running: Promise<Greeting>;
  /** Resolves when the process is gone and all that it said has been heard: with its exit code, or signal. */
  readonly gone: Promise<string>;
  readonly bornMs = performance.now();
  isRunning = false;
  /** Connections that are on their way to it, in order. */
  readonly pending: net.Socket[] = [];
  readonly #process: Worker;
  readonly #begin: ToWorker;
  readonly #heard: Heard;
  #started: (greeting: Greeting) => void = () => {};
  #failed: (error: Error) => void = () => {};
  #ballot: { readonly round: number; readonly settle: (refusal: string | undefined) => void } | undefined;

  constructor(begin: Extract<ToWorker, { do: 'begin' }>, heard: Heard) {
    this.number = begin.number;
    this.#begin = begin;
    this.#heard = heard;
    this.#process = cluster.fork();
    this.#process.on('message', (message: ToPrimary) => this.#hear(message));
    this.running = this.#untilRunning();
    this.gone = this.#untilGone();
    this.running.catch(() => {});
  }

  /** It runs, and can be told. */
  get isReachable(): boolean {
    return this.isRunning && this.#process.isConnected();
  }

  get pid(): number | undefined {
    return this.#process.process.pid;
  }

  /** What cannot reach it any more is for nobody. */
  send(message: ToWorker): void {
    this.#process.process.send?.(message, () => {});
  }

  /**
   * Hands a connection over. It is kept open here until it has been taken: Node would never close one that is on its way
   * to a worker that dies.
   */
  give(connection: net.Socket): void {
    this.pending.push(connection);
    const message: ToWorker = { do: 'take' };
    this.#process.process.send?.(message, connection, { keepOpen: true }, () => {});
  }

  kill(): void {
    this.#process.process.kill('SIGKILL');
  }

  /** Has it get ready for a change. Resolves with why it refuses, if it does; one that is gone refuses nothing. */
  vote(message: TakeIn): Promise<string | undefined> {
    return new Promise((resolve) => {
      const silent = `worker ${this.number} has not answered within ${ANSWER_LIMIT_MS / 1_000} s`;
      const timer = setTimeout(() => settle(silent), ANSWER_LIMIT_MS);
      const settle = (refusal: string | undefined) => {
        clearTimeout(timer);
        this.#ballot = undefined;
        resolve(refusal);
      };
      this.#ballot = { round: message.round, settle };
      this.send(message);
    });
  }

  #hear(message: ToPrimary): void {
    switch (message.is) {
      case 'here':
        this.send(this.#begin);
        break;
      case 'running':
        this.#started(message.greeting);
        break;
      case 'failed':
        this.#failed(errorOf(message.error));
        break;
      case 'vote':
        if (this.#ballot?.round === message.round) this.#ballot.settle(message.refusal);
        break;
      case 'line':
        this.#heard.line(message.line);
        break;
      case 'listen':
        this.#heard.listen(message.to, this);
        break;
      case 'taken':
        this.pending.shift()?.destroy();
        break;
      case 'tell':
        this.#heard.tell(message.addon, message.message, this);
        break;
    }
  }

  async #untilGone(): Promise<string> {
    const { process } = this.#process;
    const failed = new Promise<string>((resolve) => process.once('error', (error) => resolve(error.message)));
    // Its channel has been read to the end by then, as against `exit`; `disconnect` may never come.
    const ended = once(process, 'close').then(([code, signal]) => `${signal ?? `exit code ${code}`}`);
    const how = await Promise.race([ended, failed]);
    // It may have read from them.
    for (const connection of this.pending.splice(0)) connection.destroy();
    this.#ballot?.settle(undefined);
    this.#failed(new Error(`worker ${this.number} ended while it started: ${how}`));
    return how;
  }

  async #untilRunning(): Promise<Greeting> {
    const timer = setTimeout(() => this.kill(), ANSWER_LIMIT_MS);
    try {
      const greeting = await new Promise<Greeting>((resolve, reject) => {
        this.#started = resolve;
        this.#failed = reject;
      });
      this.isRunning = true;
      return greeting;
    } finally {
      clearTimeout(timer);
    }
  }
}
