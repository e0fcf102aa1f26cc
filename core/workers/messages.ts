/** What the primary and its workers tell each other, as JSON. */
import type net from 'node:net';
import type { Compiled } from '../compile.ts';
import { InsightError, messageOf } from '../errors.ts';
import type { LogLine } from '../log.ts';
import type { Greeting } from '../master.ts';
import { Stamps } from '../stamps.ts';
import type { ListenAddress } from './part.ts';

/** A script that is built. */
export interface Built {
  readonly code: string;
  readonly inputs: readonly string[];
}

/** By the script's path. */
export type Builds = Readonly<Record<string, Built>>;

export type ToWorker =
  /** Become this worker, with this config file and these scripts, config included. */
  | {
      readonly do: 'begin';
      readonly number: number;
      readonly count: number;
      readonly config: string;
      readonly builds: Builds;
    }
  | TakeIn
  /** What all workers have said to that round; with a refusal, nothing is changed. */
  | { readonly do: 'decide'; readonly round: number; readonly refusal?: string | undefined }
  /** It listens there, as asked; or it cannot. */
  | { readonly do: 'listen'; readonly address: net.AddressInfo }
  | { readonly do: 'cannotListen'; readonly error: Fault }
  /** Take this connection, which comes with the message. */
  | { readonly do: 'take' }
  | { readonly do: 'hear'; readonly addon: string; readonly message: unknown }
  /** Take nothing new, and let what is under way end. */
  | { readonly do: 'stop' }
  /** All others have ended. */
  | { readonly do: 'end' };

/** A script or the config has changed, or is gone if there is no build of it. */
export interface TakeIn {
  readonly do: 'takeIn';
  readonly round: number;
  readonly file: string;
  readonly builds: Builds;
}

export type ToPrimary =
  | { readonly is: 'here' }
  | { readonly is: 'running'; readonly greeting: Greeting }
  | { readonly is: 'failed'; readonly error: Fault }
  | { readonly is: 'listen'; readonly to: ListenAddress }
  | { readonly is: 'taken' }
  | { readonly is: 'vote'; readonly round: number; readonly refusal?: string | undefined }
  | { readonly is: 'line'; readonly line: LogLine }
  | { readonly is: 'tell'; readonly addon: string; readonly message: unknown }
  | { readonly is: 'ended' };

/** An error on its way between processes. */
export interface Fault {
  /** Of an `InsightError`. */
  readonly code?: string | undefined;
  readonly message: string;
  readonly stack?: string | undefined;
}

export function faultOf(error: unknown): Fault {
  const code = error instanceof InsightError ? error.code : undefined;
  return { code, message: messageOf(error), stack: error instanceof Error ? error.stack : undefined };
}

export function errorOf({ code, message, stack }: Fault): Error {
  const error = code === undefined ? new Error(message) : new InsightError(code, message);
  return stack === undefined ? error : Object.assign(error, { stack });
}

export function builtOf({ code, inputs }: Compiled): Built {
  return { code, inputs: [...inputs] };
}

/** Nothing is watched by it: that is the primary's. */
export function compiledOf({ code, inputs }: Built): Compiled {
  return { code, inputs: new Set(inputs), stamps: new Stamps() };
}
