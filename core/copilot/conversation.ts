import type { WebSocketClose, WebSocketMessage } from '../addon.ts';
import type { HttpFlow } from '../flow.ts';
import type { FlowObserver } from '../flow-observer.ts';
import type { Pin } from '../pin.ts';
import { Answer } from './answer.ts';
import { EVENT_OVERHEAD, KEEP_LIMIT } from './body-reader.ts';
import type { Endpoint } from './endpoint.ts';
import { exchangeOf } from './exchange.ts';
import { at, hasObjectAt, parseJson, textAt } from './json.ts';
import { readEvent } from './readers.ts';
import { type Asked, readRequest } from './request.ts';

/** One question on the WebSocket, and what has come of its answer. */
interface Turn {
  readonly asked: Asked;
  readonly initiator: string | undefined;
  readonly interaction: string;
  /** What is kept of the question, and of the events of the answer. */
  readonly request: unknown;
  readonly events: unknown[];
  readonly answer: Answer;
  readonly startMs: number;
  truncated: boolean;
  keptCharacters: number;
  firstTokenMs: number | undefined;
}

/**
 * A WebSocket on which responses are asked for: each `response.create` of the client's begins an exchange, and the event
 * that says how it went ends it. They come one after the other. Editors send no more headers than they have to when they
 * open it; who asks stands in the frame.
 */
export class Conversation implements FlowObserver {
  readonly #flow: HttpFlow;
  readonly #pin: Pin;
  readonly #endpoint: Endpoint;
  #turn: Turn | undefined;
  #number = 0;
  #questions = 0;
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
    const frame = parseJson(text);
    if (textAt(frame, 'type') !== 'response.create') return;
    // The next question says that nobody waits for the answer to this one any more.
    this.#conclude({ by: 'client', code: 'ASKED_ANEW' });
    // The question's own fields stand in it, or in a `response` of it.
    const request = hasObjectAt(frame, 'response') ? at(frame, 'response') : frame;
    const asked = readRequest(this.#endpoint.endpoint, request);
    const initiator = textAt(frame, 'initiator') ?? asked.initiator ?? this.#flow.request.headers.get('x-initiator');
    if (isByUser(asked, initiator)) this.#questions += 1;
    const isTooMuch = text.length > KEEP_LIMIT;
    this.#turn = {
      asked,
      initiator,
      interaction: this.#interaction,
      request: isTooMuch ? undefined : request,
      events: [],
      answer: new Answer(),
      startMs: this.#flow.now(),
      truncated: isTooMuch,
      keptCharacters: 0,
      firstTokenMs: undefined,
    };
  }

  /** Frames carry none. Editors open a WebSocket for each question of the user's; a later one on it is another. */
  get #interaction(): string {
    if (this.#questions > 1) return `${this.#flow.id}-${this.#questions}`;
    return this.#flow.request.headers.get('x-interaction-id') ?? this.#flow.id;
  }

  #tell(text: string): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    const event = parseJson(text);
    turn.keptCharacters += text.length + EVENT_OVERHEAD;
    if (turn.keptCharacters > KEEP_LIMIT) turn.truncated = true;
    else turn.events.push(event);
    readEvent(this.#endpoint.endpoint, turn.answer, event);
    if (turn.answer.hasOutput) turn.firstTokenMs ??= this.#flow.now() - turn.startMs;
    if (turn.answer.finished) this.#conclude(undefined);
  }

  #conclude(cut: { by: string; code: string } | undefined): void {
    const turn = this.#turn;
    if (turn === undefined) return;
    this.#turn = undefined;
    this.#number += 1;
    const { events, keptCharacters: _, ...found } = turn;
    const exchange = exchangeOf({
      ...found,
      id: `${this.#flow.id}-${this.#number}`,
      flow: this.#flow,
      endpoint: this.#endpoint,
      transport: 'websocket',
      response: events,
      status: 200,
      cut,
      endMs: this.#flow.now(),
    });
    this.#hooks = this.#hooks
      .then(() => this.#pin.dispatch('exchange', exchange, this.#flow))
      // A required addon failed, which is on the log; the client has its answer.
      .catch(() => {});
  }
}

/** Whether a question is the user's own, and no step or errand on its way. */
function isByUser({ last, forcedTool }: Asked, initiator: string | undefined): boolean {
  return initiator !== 'agent' && last !== 'tool' && forcedTool === undefined;
}
