/** Addons in several workers that hear each other, without processes. */
import type { Addon, Worker } from '../core/addon.ts';
import { AddonTest, type TestOptions } from './kit/addon-test.ts';

export class AddonWorkers {
  readonly #addons: readonly Addon[];
  readonly #options: TestOptions;
  readonly #live = new Map<number, AddonTest>();
  /** Workers that hear nothing, as if they were not there yet. */
  readonly deaf = new Set<number>();

  /** @param options of all of them; `logs` says where they write */
  constructor(addons: readonly Addon[], options: TestOptions) {
    this.#addons = addons;
    this.#options = options;
  }

  /** Begins one. What an addon needs a name for, it says by itself. */
  async begin(number: number, count: number): Promise<AddonTest> {
    const worker: Worker = { number, count, tell: (message) => this.#tell(number, message) };
    const addons = this.#addons.map((addon) => ({ name: addon.name ?? '', addon }));
    const test = new AddonTest({ ...this.#options, worker });
    // It hears as soon as it is loaded.
    this.#live.set(number, test);
    return test.begin(addons);
  }

  /** Ends all that live, the first one last. */
  async end(): Promise<void> {
    for (const [number, test] of [...this.#live].sort(([one], [other]) => other - one)) {
      this.#live.delete(number);
      await test.stop();
      // The last that it told is heard before the next one ends.
      await new Promise(setImmediate);
    }
  }

  #tell(from: number, message: unknown): void {
    const text = JSON.stringify(message);
    for (const [number, test] of this.#live)
      if (number !== from && !this.deaf.has(number)) void test.hear(JSON.parse(text));
  }
}
