import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Loader } from '../../core/loader.ts';
import { Watcher } from '../../core/watch.ts';
import { AddonTest, MODULES, specOf, type TestOptions, temporaryFolder } from './addon-test.ts';

/** A script in a folder of its own that is reloaded when it is saved, as the proxy does. */
export class ScriptTest extends AddonTest {
  readonly file: string;
  readonly #folder = temporaryFolder();
  readonly #loader: Loader;
  readonly #watcher: Watcher;
  #reloads: ((error: unknown) => void)[] = [];

  constructor(options: TestOptions) {
    super(options);
    this.file = path.join(this.#folder, 'script.ts');
    this.#watcher = new Watcher(
      'events',
      (script) => void this.#loader.reload(script),
      () => {},
    );
    this.#loader = new Loader({
      host: this.host,
      watcher: this.#watcher,
      modules: MODULES,
      log: this.log.child(),
      reloaded: (_script, error) => {
        for (const settle of this.#reloads.splice(0)) settle(error);
      },
    });
  }

  /** Writes the script, or a helper beside it. */
  save(text: string, file = 'script.ts'): void {
    writeFileSync(path.join(this.#folder, file), text);
  }

  /** Loads the script for the first time. @throws InsightError when it does not load */
  async load(): Promise<void> {
    await this.#loader.setScripts([specOf(this.file)]);
    this.#watcher.begin();
    await this.host.start();
  }

  /** Resolves when the next save is live. Rejects with the reason when it is not taken. */
  reloaded(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#reloads.push((error) => (error === undefined ? resolve() : reject(error)));
    });
  }

  override async stop(): Promise<void> {
    this.#loader.close();
    await this.#watcher.close();
    await super.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Puts a script into a temporary folder and loads it; then `save()` it, and await `reloaded()`. */
export async function tempScript(text: string, options: TestOptions = {}): Promise<ScriptTest> {
  const script = new ScriptTest(options);
  script.save(text);
  try {
    await script.load();
  } catch (error) {
    await script.stop();
    throw error;
  }
  return script;
}
