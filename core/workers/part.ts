import type net from 'node:net';
import { ON_DISK, type ScriptSource } from '../compile.ts';

/** What a process has to do with others that share its port. */
export interface Part {
  /** From 1 on. */
  readonly number: number;
  readonly count: number;
  readonly source: ScriptSource;
  readonly accord: Accord;
  /** Has the primary listen there, and nowhere else: it hands on the connections that come. @throws InsightError */
  readonly listen?: (to: ListenAddress) => Promise<net.AddressInfo>;
  /** Hands an addon's message to that addon in the other workers. */
  tell(addon: string, message: unknown): void;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** By it, a change of scripts or config is made in all workers, or in none. */
export interface Accord {
  /** All but the change itself has been done here. Waits for the others. @throws when one of them refuses */
  ready(): Promise<void>;
  /** The change cannot be made here. */
  refuse(error: unknown): void;
}

/** That of a process that shares it with none. */
export const ALONE: Part = {
  number: 1,
  count: 1,
  source: ON_DISK,
  accord: { ready: () => Promise.resolve(), refuse: () => {} },
  tell: () => {},
};
