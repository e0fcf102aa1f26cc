import type net from 'node:net';
import type { Flags } from '../config.ts';
import { errors } from '../errors.ts';
import type { HostModules } from '../evaluate.ts';
import { logTo } from '../log.ts';
import { type Greeting, Master } from '../master.ts';
import { prepare } from '../prepare.ts';
import { describePath } from '../stack.ts';
import {
  type Builds,
  type Built,
  compiledOf,
  errorOf,
  faultOf,
  type TakeIn,
  type ToPrimary,
  type ToWorker,
} from './messages.ts';
import type { Part } from './part.ts';
import { Votes } from './votes.ts';

const EXIT_CANNOT_START = 1;

/** Runs the proxy in a worker process, as the primary tells. It ends when the primary does. */
export function runWorker(flags: Flags, modules: HostModules): void {
  // A terminal sends them to all processes, and so do service managers. When it ends is the primary's to say.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  const worker = new WorkerProcess(flags, modules);
  process.on('message', (message: ToWorker, connection?: net.Socket) => void worker.take(message, connection));
  void say({ is: 'here' });
}

class WorkerProcess {
  readonly #flags: Flags;
  readonly #modules: HostModules;
  readonly #builds = new Map<string, Built>();
  readonly #votes = new Votes((round, refusal) => void say({ is: 'vote', round, refusal }));
  #number = 0;
  #master: Master | undefined;
  /** There once it has started. */
  #greeting: Greeting | undefined;
  /** Resolves when it has started, or could not. */
  #started: Promise<void> | undefined;
  /** What the primary has answered who was asked to listen. */
  #listens: (answer: net.AddressInfo | Error) => void = () => {};
  #othersEnded: () => void = () => {};

  constructor(flags: Flags, modules: HostModules) {
    // Saves are seen by the primary.
    this.#flags = { ...flags, watch: 'off' };
    this.#modules = modules;
  }

  async take(message: ToWorker, connection?: net.Socket): Promise<void> {
    switch (message.do) {
      case 'begin':
        this.#started = this.#start(message).catch(fail);
        return;
      case 'takeIn':
        return this.#takeIn(message);
      case 'decide':
        return this.#votes.decided(message.round, message.refusal);
      case 'listen':
        return this.#listens(message.address);
      case 'cannotListen':
        return this.#listens(errorOf(message.error));
      case 'take':
        void say({ is: 'taken' });
        // One that its client has closed meanwhile does not come with it.
        if (connection !== undefined) this.#master?.take(connection);
        return;
      case 'hear':
        return this.#master?.hear(message.addon, message.message);
      case 'stop':
        return this.#stop();
      case 'end':
        return this.#othersEnded();
    }
  }

  async #start({ number, count, config, builds }: Extract<ToWorker, { do: 'begin' }>): Promise<void> {
    this.#number = number;
    this.#set(builds);
    process.title = `insight-dump worker ${number}`;
    const part: Part = {
      number,
      count,
      accord: this.#votes,
      listen: (to) =>
        new Promise((resolve, reject) => {
          this.#listens = (answer) => (answer instanceof Error ? reject(answer) : resolve(answer));
          void say({ is: 'listen', to });
        }),
      source: {
        compile: async (file) => {
          const built = this.#builds.get(file);
          if (built === undefined) throw errors.scriptMissing(describePath(file));
          return compiledOf(built);
        },
        isThere: (file) => this.#builds.has(file),
      },
      tell: (addon, message) => void say({ is: 'tell', addon, message }),
    };
    const prepared = await prepare(this.#flags, this.#modules, config, part.source);
    const master = new Master({
      ...prepared,
      part,
      logs: { child: (...about) => logTo((line) => void say({ is: 'line', line }), ...about) },
      listens: (greeting) => {
        this.#greeting = greeting;
      },
    });
    this.#master = master;
    process.on('uncaughtException', (error) => master.report(error));
    process.on('unhandledRejection', (reason) => master.report(reason));
    await master.start();
    await say({ is: 'running', greeting: this.#greeting as Greeting });
  }

  /** Makes a change together with the others; what they refuse leaves no trace. */
  async #takeIn({ round, file, builds }: TakeIn): Promise<void> {
    const before = new Map(this.#builds);
    if (builds[file] === undefined) this.#builds.delete(file);
    this.#set(builds);
    this.#votes.begin(round);
    await this.#master?.takeIn(file);
    if ((await this.#votes.end()) === 'taken') return;
    this.#builds.clear();
    for (const [each, built] of before) this.#builds.set(each, built);
  }

  async #stop(): Promise<void> {
    const others = new Promise<void>((resolve) => {
      this.#othersEnded = resolve;
    });
    await this.#started;
    // The first one ends last: what others leave, it may have to put together.
    await this.#master?.stop(this.#number === 1 ? others : undefined);
    await say({ is: 'ended' });
    process.exit(0);
  }

  #set(builds: Builds): void {
    for (const [file, built] of Object.entries(builds)) this.#builds.set(file, built);
  }
}

/** Resolves when it is on its way: what is said before the process exits is heard then. */
function say(message: ToPrimary): Promise<void> {
  // The primary may be gone, and this process is going to end then.
  return new Promise((resolve) => process.send?.(message, undefined, undefined, () => resolve()));
}

async function fail(error: unknown): Promise<never> {
  await say({ is: 'failed', error: faultOf(error) });
  process.exit(EXIT_CANNOT_START);
}
