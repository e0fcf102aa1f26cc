import type { Ask } from './asks.ts';

/** A connection that takes one request after another. It checks each answer, and costs as little as can be. */
export interface Connection {
  /**
   * One exchange, to its end; `onData` gets the body as it comes.
   *
   * @throws when the answer is not the one that was to come
   */
  exchange(ask: Ask, onData?: (piece: Buffer) => void): Promise<void>;
  close(): void;
}

/** Whoever counts the exchanges of connections. */
export interface Tally {
  exchanges: number;
}

/**
 * Counts an answer, if it is what the server sends.
 *
 * @throws if it is not
 */
export function takeAnswer(tally: Tally, ask: Ask, status: number, bytes: number): void {
  if (status !== 200 || bytes !== ask.answerBytes)
    throw new Error(`${ask.path}: an answer ${status} of ${bytes} bytes; ${ask.answerBytes} were to come`);
  tally.exchanges += 1;
}
