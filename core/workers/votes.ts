import { messageOf } from '../errors.ts';
import type { Accord } from './part.ts';

/** A worker's side of a change that is made in all of them or in none: one round of votes at a time. */
export class Votes implements Accord {
  readonly #vote: (round: number, refusal: string | undefined) => void;
  #round = 0;
  #hasVoted = true;
  #decision: Promise<string | undefined> = Promise.resolve(undefined);
  #decide: (refusal: string | undefined) => void = () => {};

  /** @param vote hands this worker's vote to the primary: why it refuses, if it does */
  constructor(vote: (round: number, refusal: string | undefined) => void) {
    this.#vote = vote;
  }

  begin(round: number): void {
    this.#round = round;
    this.#hasVoted = false;
    this.#decision = new Promise((resolve) => {
      this.#decide = resolve;
    });
  }

  async ready(): Promise<void> {
    this.#say(undefined);
    const refusal = await this.#decision;
    if (refusal !== undefined) throw new Error(refusal);
  }

  refuse(error: unknown): void {
    this.#say(messageOf(error));
  }

  /** Nothing is left to do for the round; where nothing was, nothing is refused. Resolves with what came out of it. */
  async end(): Promise<'taken' | 'refused'> {
    this.#say(undefined);
    return (await this.#decision) === undefined ? 'taken' : 'refused';
  }

  decided(round: number, refusal: string | undefined): void {
    if (round === this.#round) this.#decide(refusal);
  }

  #say(refusal: string | undefined): void {
    if (this.#hasVoted) return;
    this.#hasVoted = true;
    this.#vote(this.#round, refusal);
  }
}
