import type { Chain, Instance } from './chain.ts';
import { errors } from './errors.ts';
import type { HookArguments, TrafficHook } from './hooks.ts';
import { isThenable, withTimeLimit } from './time-limit.ts';

/** What a pin needs of its host. */
export interface PinHost {
  /** The chain now in force. */
  readonly chain: Chain;
  readonly hookTimeoutMs: number;
  /** Says on the log that a hook failed. */
  fault(instance: Instance, hook: TrafficHook, error: unknown): void;
}

/**
 * One flow's hold on the chain that it began with. Hooks of the flow go through here; `release()` lets go, once, when
 * the flow has ended.
 */
export class Pin {
  readonly #host: PinHost;
  readonly #chain: Chain;
  #held = true;

  constructor(host: PinHost) {
    this.#host = host;
    this.#chain = host.chain;
    this.#chain.enter();
  }

  /** The chain that this flow's hooks run on. */
  get chain(): Chain {
    return this.#chain.expired ? this.#host.chain : this.#chain;
  }

  /**
   * Runs a hook of every addon that has it, in order. Returns a promise only when an addon made one.
   *
   * @throws InsightError `requiredAddonFailed`, when an addon that traffic may not go without failed, or one in `connect`
   * that authenticates
   */
  dispatch<Hook extends TrafficHook>(hook: Hook, ...subject: HookArguments[Hook]): void | Promise<void> {
    const takers = this.chain.takers[hook];
    for (let i = 0; i < takers.length; i++) {
      const pending = this.#call(takers[i] as Instance, hook, subject);
      if (pending !== undefined) return this.#dispatchRest(takers, i + 1, pending, hook, subject);
    }
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#chain.leave();
  }

  async #dispatchRest<Hook extends TrafficHook>(
    takers: readonly Instance[],
    next: number,
    pending: Promise<void>,
    hook: Hook,
    subject: HookArguments[Hook],
  ): Promise<void> {
    await pending;
    for (let i = next; i < takers.length; i++) await this.#call(takers[i] as Instance, hook, subject);
  }

  #call<Hook extends TrafficHook>(
    instance: Instance,
    hook: Hook,
    subject: HookArguments[Hook],
  ): Promise<void> | undefined {
    let result: unknown;
    try {
      const handler = instance.addon[hook] as unknown as (...args: readonly unknown[]) => unknown;
      result = handler.call(instance.addon, ...subject, instance.context);
    } catch (error) {
      this.#fault(instance, hook, error);
      return undefined;
    }
    return isThenable(result) ? this.#settle(instance, hook, result) : undefined;
  }

  async #settle(instance: Instance, hook: TrafficHook, result: PromiseLike<unknown>): Promise<void> {
    const { hookTimeoutMs } = this.#host;
    try {
      await withTimeLimit(result, hookTimeoutMs, () => errors.hookTimeout(hook, hookTimeoutMs));
    } catch (error) {
      this.#fault(instance, hook, error);
    }
  }

  #fault(instance: Instance, hook: TrafficHook, error: unknown): void {
    this.#host.fault(instance, hook, error);
    // Nobody gets in because whoever asks for passwords broke down, or took too long.
    const wasAskedWho = hook === 'connect' && instance.addon.authenticates === true;
    if (instance.required || wasAskedWho) throw errors.requiredAddonFailed(instance.name);
  }
}
