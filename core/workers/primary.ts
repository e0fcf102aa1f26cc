import { messageOf } from '../errors.ts';
import type { Logs } from '../log.ts';
import type { MasterSettings } from '../master.ts';
import { AlikeLines } from './alike-lines.ts';
import { Crew } from './crew.ts';
import { Saves } from './saves.ts';

export interface PrimarySettings extends Omit<MasterSettings, 'part' | 'logs'> {
  readonly logs: Logs;
  readonly workers: number;
}

/** The process that the administrator started, where several do the work: it has the port, the console and the log. */
export class Primary {
  readonly #given: PrimarySettings;
  readonly #saves: Saves;
  readonly #crew: Crew;

  constructor(given: PrimarySettings) {
    this.#given = given;
    const { flags, modules, logs, workers, configFile } = given;
    const { path: config } = configFile;
    const log = logs.child();
    const alike = new AlikeLines();
    this.#crew = new Crew({
      count: workers,
      log,
      begin: () => ({ config, builds: this.#saves.inForce }),
      line: (line, worker) => logs.write(line, { worker, isShown: alike.isNews(worker, line) }),
    });
    const takeIn: Crew['takeIn'] = (file, builds) => this.#crew.takeIn(file, builds);
    this.#saves = new Saves({ flags, modules, log, config, takeIn });
  }

  /** Builds the scripts, then starts the workers. @throws InsightError when any of that fails; none is left then */
  async start(): Promise<void> {
    try {
      await this.#saves.begin();
      this.#given.listens(await this.#crew.start());
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#saves.close();
    await this.#crew.stop();
  }

  /** For errors that reached nobody. */
  report(error: unknown): void {
    this.#given.logs.child().error(`unhandled error: ${messageOf(error)}`, error);
  }
}
