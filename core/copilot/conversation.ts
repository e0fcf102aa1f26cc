import type { WebSocketClose, WebSocketMessage } from '../addon.ts';
import type { HttpFlow } from '../flow.ts';
import type { FlowObserver } from '../flow-observer.ts';
import type { Pin } from '../pin.ts';
import { Answer } from './answer.ts';
import type { Endpoint } from './endpoint.ts';
import { DecodedExchange } from './exchange.ts';
import { at, parseJson, textAt } from './json.ts';
import { readResponses } from './read-responses.ts';

/** So many characters of an answer's events are kept. */
const KEEP_LIMIT = 8 * 1024 * 1024;

/** One question on the WebSocket, and what has come of its answer. */
interface Turn {
  readonly request: unknown;
  readonly startMs: number;
  readonly answer: Answer;
  readonly events: unknown[];
  keptCharacters: number;
  firstTokenMs: number | undefined;
}

/**
 * A WebSocket on which responses are asked for: each `response.create` of the client's begins an exchange, and the event
 * that says how it went ends it. They come one after the other.
 */
export class Conversation implements FlowObserver {
  readonly #flow: HttpFlow;
  readonly #pin: Pin;
  readonly #endpoint: Endpoint;
  #turn: Turn | undefined;
  #number = 0;
  /** The hooks of exchanges, one after the other. What is said meanwhile passes. */
  #hooks = Promise.resolve();

  constructor(flow: HttpFlow, pin: Pin, endpoint: Endpoint) {
    this.#flow = flow;
    this.#pin = pin;
    this.#endpoint = endpoint;
  }

  answered(): void {}

  ended(): void {}

  message({ from, isText, text }: WebSocketMessage): void {
    if (!isText) return;
    if (from === 'client') this.#ask(text);
    else this.#tell(text);
  }

  closed({ by }: WebSocketClose): Promise<void> {
    this.#conclude({ by: by === 'server' ? 'upstream' : by, code: 'WEBSOCKET_CLOSED' });
    return this.#hooks;
  }

  #ask(text: string): void {
    const request = parseJson(text);
    if (textAt(request, 'type') !== 'response.create') return;
    // The next question says that nobody waits for the answer to this one any more.
    this.#conclude({ by: 'client', code: 'ASKED_ANEW' });
    // The question's own fields stand in it, or in a `response` of it.
    const body = at(request, 'response');
    const asked = typeof body === 'object' && body !== null ? { ...body, ...initiatorOf(request) } : request;
    this.#turn = {
      request: asked,
      startMs: this.#flow.now(),
      answer: new Answer(),
      events: [],
      keptCharacters: 0,
      firstTokenMs: undefined,
    };
  }

  #tell(text: string): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    const event = parseJson(text);
    turn.keptCharacters += text.length;
    if (turn.keptCharacters <= KEEP_LIMIT) turn.events.push(event);
    readResponses(turn.answer, event);
    if (turn.firstTokenMs === undefined && turn.answer.hasOutput) turn.firstTokenMs = this.#flow.now() - turn.startMs;
    if (turn.answer.finished) this.#conclude(undefined);
  }

  #conclude(cut: { by: string; code: string } | undefined): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    this.#turn = undefined;
    this.#number += 1;
    const { request, answer, events, keptCharacters, startMs, firstTokenMs } = turn;
    const exchange = new DecodedExchange({
      id: `${this.#flow.id}-${this.#number}`,
      flow: this.#flow,
      endpoint: this.#endpoint,
      transport: 'websocket',
      request,
      response: events,
      answer,
      status: 200,
      cut,
      truncated: keptCharacters > KEEP_LIMIT,
      startMs,
      endMs: this.#flow.now(),
      firstTokenMs,
    });
    this.#hooks = this.#hooks
      .then(() => this.#pin.dispatch('exchange', exchange, this.#flow))
      // A required addon failed, which is on the log; the client has its answer.
      .catch(() => {});
  }
}

function initiatorOf(request: unknown): { initiator?: string } {
  const initiator = textAt(request, 'initiator');
  return initiator === undefined ? {} : { initiator };
}
