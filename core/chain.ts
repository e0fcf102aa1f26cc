import type { Addon, Context } from './addon.ts';
import { HOOKS, TRAFFIC_HOOKS, type TrafficHook } from './hooks.ts';

/** One life of an addon: from `load` to `done`, with one version of its code. */
export interface Instance {
  readonly name: string;
  readonly addon: Addon;
  readonly script: string;
  /** The author's files: the script and all that it imports by a relative path. */
  readonly files: ReadonlySet<string>;
  /** Held for its source map, which is how a stack names the author's lines. */
  readonly module?: object | undefined;
  /** A failing hook fails the traffic. */
  readonly required: boolean;
  readonly context: Context;
  readonly end: AbortController;
  options: Record<string, unknown>;
}

/** A script's place in the chain. A required one without instances closes the proxy. */
export interface Slot {
  readonly script: string;
  /** What its addon goes by if it does not say a name. */
  readonly name: string;
  readonly required: boolean;
  readonly instances: readonly Instance[];
}

/**
 * The addons in force at one moment. Never changed: a reload makes a new chain, and flows that began with the old one
 * go on with it.
 */
export class Chain {
  readonly instances: readonly Instance[];
  /** Who has a hook, in order; so a hook that nobody has costs nothing. */
  readonly takers: Readonly<Record<TrafficHook, readonly Instance[]>>;
  /** Whether some addon can read the body of that message. */
  readonly reads: Readonly<Record<'request' | 'response', boolean>>;
  /** The first required script that has nothing loaded. */
  readonly blockedBy: string | undefined;
  /** Flows that are on their way with this chain. */
  flows = 0;
  /** The drain limit has passed: flows still pinned here go on with the chain now in force. */
  expired = false;
  #drained: (() => void)[] = [];

  constructor(readonly slots: readonly Slot[] = []) {
    this.instances = slots.flatMap(({ instances }) => instances);
    this.takers = Object.fromEntries(
      TRAFFIC_HOOKS.map((hook) => [hook, this.instances.filter(({ addon }) => typeof addon[hook] === 'function')]),
    ) as Record<TrafficHook, Instance[]>;
    this.reads = { request: this.#anyReads('request'), response: this.#anyReads('response') };
    this.blockedBy = slots.find(({ required, instances }) => required && instances.length === 0)?.script;
  }

  enter(): void {
    this.flows += 1;
  }

  leave(): void {
    this.flows -= 1;
    if (this.flows > 0) return;
    for (const resolve of this.#drained) resolve();
    this.#drained = [];
  }

  /** Resolves when no flow is on its way with this chain. */
  drained(): Promise<void> {
    if (this.flows === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #anyReads(message: 'request' | 'response'): boolean {
    return TRAFFIC_HOOKS.some((hook) => {
      const { copies } = HOOKS[hook] as { copies?: readonly string[] };
      return copies?.includes(message) === true && this.takers[hook].length > 0;
    });
  }
}
