import type tls from 'node:tls';
import type { Alpn } from './alpn.ts';
import type { Ask } from './asks.ts';

/** One of those that are compared: a way from a client to the server. */
export interface Contestant {
  readonly name: string;
  /** What it is, for those who read the figures. */
  readonly about: string;
  /** Which one it is, where that is not said by our lock file. */
  version?(): Promise<string>;
  /** Why it cannot take part on this machine; undefined if it can. */
  missing?(): Promise<string | undefined>;
  start(server: ServerAddress, options: StartOptions): Promise<Entrant>;
}

/** Where the server of all answers is. */
export interface ServerAddress {
  /** HTTPS, over HTTP/1.1 and HTTP/2. */
  readonly port: number;
  /** HTTP, to tell the server itself something. */
  readonly plainPort: number;
  /** PEM of the CA that signed its certificate. */
  readonly ca: string;
  /** The same as a file. */
  readonly caFile: string;
}

export interface StartOptions {
  /** For processes of Node: what is to be in their environment. */
  readonly nodeEnv: NodeJS.ProcessEnv;
  /** A folder for what is to outlive the process, until all is over. */
  readonly scratch: string;
}

/** A contestant that runs, in a process of its own unless it is none. */
export interface Entrant {
  readonly pid: number | undefined;
  /** Whether its process runs Node, and can have the probe in it. */
  readonly isNode: boolean;
  /** TLS with that host, as a client has it. */
  open(host: string, alpn: Alpn): Promise<tls.TLSSocket>;
  /** What is asked in turns instead of that, where it is not to be the same each time. */
  vary?(ask: Ask): readonly Ask[];
  /** How many exchanges it has recorded so far, if it records them. */
  recorded?(): Promise<number>;
  /** Saves a script that it runs, if it can run some. */
  save?(script: string, text: string): void;
  stop(): Promise<void>;
}
