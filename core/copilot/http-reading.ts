import type { CopilotExchange, Flow } from '../addon.ts';
import type { HttpFlow, HttpMessage } from '../flow.ts';
import { Answer } from './answer.ts';
import { BodyReader } from './body-reader.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';
import { DecodedExchange } from './exchange.ts';
import { readerOf } from './readers.ts';

/** A message that is being read, and what has come of it. */
interface Reading {
  readonly message: HttpMessage;
  readonly body: BodyReader;
  readonly answer: Answer;
  readonly isWatched: boolean;
}

/** Reads one request and its answer: while they pass, or from what was kept of them. */
export class HttpReading {
  readonly #flow: HttpFlow;
  readonly #endpoint: Endpoint;
  #request: Reading | undefined;
  #response: Reading | undefined;
  #firstTokenMs: number | undefined;

  constructor(flow: HttpFlow, endpoint: Endpoint) {
    this.#flow = flow;
    this.#endpoint = endpoint;
  }

  watchRequest(): void {
    this.#request = this.#watch(this.#flow.request);
  }

  watchResponse(): void {
    if (this.#flow.response !== undefined) this.#response = this.#watch(this.#flow.response);
  }

  /** What it was, once it is over; undefined without an answer. */
  async exchange(): Promise<DecodedExchange | undefined> {
    const { request, response, timings, error } = this.#flow;
    if (response === undefined) return undefined;
    const asked = await this.#finish(request, this.#request);
    const told = await this.#finish(response, this.#response);
    if (!told.body.isStream) readerOf(this.#endpoint.endpoint)(told.answer, told.body.content);
    return new DecodedExchange({
      id: this.#flow.id,
      flow: this.#flow as Flow,
      endpoint: this.#endpoint,
      transport: 'http',
      request: asked.body.content,
      response: told.body.content,
      answer: told.answer,
      status: response.status,
      cut: error,
      truncated: asked.body.truncated || told.body.truncated,
      startMs: timings.start,
      endMs: timings.end ?? this.#flow.now(),
      firstTokenMs: this.#firstTokenMs,
    });
  }

  /** Reads what passes. Bodies that are held back for addons to edit are read once they are settled. */
  #watch(message: HttpMessage): Reading | undefined {
    if (message.wantsBuffer || message.content !== undefined) return undefined;
    const reading = this.#read(message, true);
    message.body.watch((chunk) => reading.body.push(chunk));
    return reading;
  }

  #read(message: HttpMessage, isWatched: boolean): Reading {
    const answer = new Answer();
    const read = readerOf(this.#endpoint.endpoint);
    const body = new BodyReader(message.headers, (event) => {
      read(answer, event);
      if (isWatched && this.#firstTokenMs === undefined && answer.hasOutput)
        this.#firstTokenMs = this.#flow.now() - this.#flow.timings.start;
    });
    return { message, body, answer, isWatched };
  }

  /** What a message was in the end: an addon may have put another in its place. */
  async #finish(message: HttpMessage, watched: Reading | undefined): Promise<Reading> {
    const reading = watched?.message === message ? watched : this.#read(message, false);
    if (!reading.isWatched) reading.body.push(message.content ?? message.body.raw());
    await reading.body.end();
    return reading;
  }
}

/** What a flow that is over was, read from the bodies that were kept; undefined if it was no use of Copilot. */
export async function readExchange(flow: HttpFlow): Promise<CopilotExchange | undefined> {
  const endpoint = endpointOf(flow.request.path);
  if (endpoint === undefined || flow.request.method !== 'POST') return undefined;
  return new HttpReading(flow, endpoint).exchange();
}
