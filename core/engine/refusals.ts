import type { Client } from '../addon.ts';

const MAX_REMEMBERED = 1_000;

/** Clients that refuse our certificates for a host. */
export class Refusals {
  readonly #known = new Set<string>();
  /** By client and host: until when it is left alone with it. */
  readonly #untilMs = new Map<string, number>();

  /**
   * Notes a refusal, and leaves the client alone with that host for so long.
   *
   * @returns whether it is the first: clients that do not trust the CA try again and again
   */
  add({ user, address }: Client, host: string, leaveAloneMs: number): boolean {
    if (this.#untilMs.size > MAX_REMEMBERED) this.#untilMs.clear();
    this.#untilMs.set(`${address} ${host}`, performance.now() + leaveAloneMs);
    if (this.#known.size > MAX_REMEMBERED) this.#known.clear();
    const key = `${user} ${address} ${host}`;
    const isFirst = !this.#known.has(key);
    this.#known.add(key);
    return isFirst;
  }

  /** Whether the client has refused a while ago, and is still to be left alone. */
  isLeftAlone({ address }: Client, host: string): boolean {
    const untilMs = this.#untilMs.get(`${address} ${host}`);
    return untilMs !== undefined && performance.now() < untilMs;
  }
}
