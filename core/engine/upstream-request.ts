import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Message } from '../addon.ts';
import type { Target } from '../flow.ts';
import type { HeaderPair, Headers } from '../headers.ts';
import type { Sink } from './relay.ts';

/** Heads of answers may be no larger; how many fields they have is bounded by that. */
export const MAX_HEAD_BYTES = 64 * 1024;

/** What a server is asked. */
export interface RequestHead {
  readonly target: Target;
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** With a `Host`, and nothing that concerns one connection only, unless it asks for another protocol. */
  readonly headers: Headers;
  /** A body follows, of the length that the headers tell, or of any. */
  readonly hasBody: boolean;
  /** It asks for another protocol on the connection, which can be taken up here (RFC 9110, section 7.8). */
  readonly upgrades: boolean;
}

/** A request that is open at a server, whichever version of HTTP the two speak. */
export interface UpstreamRequest {
  /** To write the body to, before `end()`. */
  readonly sink: Sink;
  /** All of the request has left. */
  readonly sent: boolean;
  /** Calls back when the server has been silent for so long. */
  onSilence(ms: number, silent: () => void): void;
  /** Calls back for each interim answer but `100 Continue` (RFC 9110, section 15.2). */
  onInterim(told: (status: number, headers: readonly HeaderPair[]) => void): void;
  /** The head of the answer. Rejects with a `Cut` when none comes. Ask once. */
  answer(): Promise<UpstreamAnswer>;
  /** Ends the request, with the rest of its body and its trailers. */
  end(rest?: Uint8Array, trailers?: readonly HeaderPair[]): void;
  /** Gives it up. The server is told as well as its version allows. */
  destroy(reason?: Error): void;
  /** Whether the server cannot have taken it up, given that no answer came: then it may be asked again. */
  wasMissed(): boolean;
}

/** The head of an answer, and the stream of its body. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly httpVersion: Message['httpVersion'];
  readonly body: Readable;
  /** Those that came behind the body; ask once it has ended. */
  trailers(): readonly HeaderPair[];
  /** The server's connection, where it has agreed to another protocol. */
  readonly switched?: Switched;
}

/** A connection on which another protocol is spoken from now on. */
export interface Switched {
  readonly socket: Socket;
  /** Of the 101, as it was sent or received on it. */
  readonly headers: Headers;
}
