import type { Log } from './addon.ts';

/** The same fault is said again after so long, with how often it came meanwhile. */
const SAY_AGAIN_AFTER_MS = 10_000;
const MAX_REMEMBERED = 1_000;

/** Says each fault once, and not a thousand times a second when an addon breaks under load. */
export class Faults {
  readonly #said = new Map<string, { saidMs: number; since: number }>();

  say(log: Log, message: string, error: unknown): void {
    const known = this.#said.get(message);
    if (known !== undefined && performance.now() - known.saidMs < SAY_AGAIN_AFTER_MS) {
      known.since += 1;
      log.debug(message, error);
      return;
    }
    if (this.#said.size >= MAX_REMEMBERED) this.#said.clear();
    this.#said.set(message, { saidMs: performance.now(), since: 0 });
    const meanwhile = known === undefined || known.since === 0 ? '' : ` (and ${known.since} times more)`;
    log.error(`${message}${meanwhile}`, error);
  }
}
