import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** A process, until it is stopped. */
export class Child {
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;
  /** What it has said on standard error. */
  complaints = '';

  constructor(command: string, args: readonly string[], options: { env?: NodeJS.ProcessEnv; cwd?: string } = {}) {
    this.#process = spawn(command, args, {
      ...options,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#process, 'close');
    this.#ended.catch(() => {});
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.complaints += text;
    });
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  get hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /**
   * Waits for the first line of standard output, which is JSON.
   *
   * @throws when it ends before
   */
  async said<T>(): Promise<T> {
    const line = (async () => {
      let text = '';
      for await (const piece of this.#process.stdout?.setEncoding('utf8').iterator({ destroyOnReturn: false }) ?? []) {
        text += piece;
        if (text.includes('\n')) return text;
      }
      throw new Error(`${this.#process.spawnargs.join(' ')} ended:\n${this.complaints}`);
    })();
    const said = JSON.parse(await line) as T;
    this.#process.stdout?.resume();
    return said;
  }

  async stop(): Promise<void> {
    this.#process.kill();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_LIMIT_MS);
    await this.#ended;
    clearTimeout(timer);
  }
}

const STOP_LIMIT_MS = 5_000;

/** What a program of ours says once it listens. */
export interface Listening {
  readonly port: number;
  readonly plainPort: number;
  readonly ca: string;
}

export function sayListening(listening: Partial<Listening>): void {
  process.stdout.write(`${JSON.stringify(listening)}\n`);
}
