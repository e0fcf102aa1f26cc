import cluster from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../addon.ts';
import { messageOf } from '../errors.ts';
import type { LogLine } from '../log.ts';
import type { Greeting } from '../master.ts';
import { Member } from './member.ts';
import { type Builds, faultOf } from './messages.ts';
import { Reception } from './reception.ts';

export interface CrewSettings {
  readonly count: number;
  readonly log: Log;
  /** What a worker that begins now is to begin with. */
  begin(): { readonly config: string; readonly builds: Builds };
  line(line: LogLine, worker: number): void;
}

/** A worker that has lived so long is replaced at once. */
const STABLE_MS = 60_000;
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;

/** The workers: starts them, replaces those that die, has them change together, and stops them. */
export class Crew {
  readonly #settings: CrewSettings;
  readonly #members = new Map<number, Member>();
  readonly #reception = new Reception(() => this.#all().filter(({ isReachable }) => isReachable));
  /** By worker: how often in a row it has died, or not started, before it had lived long. */
  readonly #earlyDeaths = new Map<number, number>();
  readonly #stopping = new AbortController();
  /** Starts and changes come one after the other, so that whoever starts knows all that is in force. */
  #turn: Promise<unknown> = Promise.resolve();
  #round = 0;

  constructor(settings: CrewSettings) {
    this.#settings = settings;
    cluster.setupPrimary({ exec: process.argv[1] as string, args: process.argv.slice(2) });
  }

  /**
   * Starts the first worker, and the others when it runs: whatever is made once is made by then.
   *
   * @throws what keeps one of them from starting
   */
  start(): Promise<Greeting> {
    return this.#inTurn(async () => {
      const greeting = await this.#launch(1);
      const others = Array.from({ length: this.#settings.count - 1 }, (_, i) => this.#launch(i + 2));
      await Promise.all(others);
      return greeting;
    });
  }

  /** Has all workers take in a change of the file, or none. Resolves with why one of them refuses, if one does. */
  takeIn(file: string, builds: Builds): Promise<string | undefined> {
    return this.#inTurn(async () => {
      this.#round += 1;
      const round = this.#round;
      const votes = this.#all().map((member) => member.vote({ do: 'takeIn', round, file, builds }));
      const refusal = (await Promise.all(votes)).find((vote) => vote !== undefined);
      for (const member of this.#all()) member.send({ do: 'decide', round, refusal });
      return refusal;
    });
  }

  /** Stops all at once. The first one lives on until the others have ended: it may have to do with what they leave. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#reception.close();
    for (const member of this.#all()) member.send({ do: 'stop' });
    const others = this.#all().filter(({ number }) => number !== 1);
    await Promise.all(others.map(({ gone }) => gone));
    const first = this.#members.get(1);
    first?.send({ do: 'end' });
    await first?.gone;
  }

  #all(): Member[] {
    return [...this.#members.values()];
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #launch(number: number): Promise<Greeting> {
    const { count, begin, line } = this.#settings;
    this.#stopping.signal.throwIfAborted();
    const member = new Member(
      { do: 'begin', number, count, ...begin() },
      {
        line: (said) => line(said, number),
        tell: (addon, message, from) => {
          for (const each of this.#all()) if (each !== from) each.send({ do: 'hear', addon, message });
        },
        listen: (to, from) => {
          this.#reception.listen(to).then(
            (address) => from.send({ do: 'listen', address }),
            (error) => from.send({ do: 'cannotListen', error: faultOf(error) }),
          );
        },
      },
    );
    this.#members.set(number, member);
    void member.gone.then((how) => this.#lost(member, how));
    const greeting = await member.running;
    this.#reception.serveWaiting();
    return greeting;
  }

  #lost(member: Member, how: string): void {
    const { number, pid, isRunning, bornMs } = member;
    this.#members.delete(number);
    // Who starts it knows of one that has not run.
    if (this.#stopping.signal.aborted || !isRunning) return;
    this.#settings.log.error(`worker ${number} (process ${pid}) has died: ${how}; another takes its place`);
    if (performance.now() - bornMs > STABLE_MS) this.#earlyDeaths.delete(number);
    void this.#replace(number);
  }

  async #replace(number: number): Promise<void> {
    const { log } = this.#settings;
    const { signal } = this.#stopping;
    for (;;) {
      const deaths = this.#earlyDeaths.get(number) ?? 0;
      this.#earlyDeaths.set(number, deaths + 1);
      const pauseMs = deaths === 0 ? 0 : Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (deaths - 1));
      await sleep(pauseMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#inTurn(() => this.#launch(number));
        log.info(`worker ${number} is there again`);
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.error(`worker ${number} cannot start: ${messageOf(error)}; it is tried again, and others go on`, error);
      }
    }
  }
}
