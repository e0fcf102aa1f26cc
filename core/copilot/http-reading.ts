import type { CopilotExchange, Flow } from '../addon.ts';
import type { HttpFlow, HttpMessage } from '../flow.ts';
import { Answer } from './answer.ts';
import { BodyReader } from './body-reader.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';
import { exchangeOf } from './exchange.ts';
import { readEvent } from './readers.ts';
import { readRequest } from './request.ts';

/** A message that is being read. */
interface Reading {
  readonly message: HttpMessage;
  readonly body: BodyReader;
}

/** What is read of an answer. */
interface AnswerReading extends Reading {
  readonly answer: Answer;
}

/** Reads one request and its answer: while they pass, or from what was kept of them. */
export class HttpReading {
  readonly #flow: HttpFlow;
  readonly #endpoint: Endpoint;
  #request: Reading | undefined;
  #response: AnswerReading | undefined;
  #firstTokenMs: number | undefined;

  constructor(flow: HttpFlow, endpoint: Endpoint) {
    this.#flow = flow;
    this.#endpoint = endpoint;
  }

  watchRequest(): void {
    const { request } = this.#flow;
    if (!isHeldBack(request)) this.#request = watched(readingOf(request));
  }

  watchResponse(): void {
    const { response } = this.#flow;
    if (response === undefined || isHeldBack(response)) return;
    this.#response = watched(
      this.#answerReading(response, (answer) => {
        if (this.#firstTokenMs === undefined && answer.hasOutput)
          this.#firstTokenMs = this.#flow.now() - this.#flow.timings.start;
      }),
    );
  }

  /**
   * What it was, once it is over; undefined for a flow that has neither been answered nor failed.
   *
   * @throws what went wrong in reading it
   */
  async exchange(): Promise<CopilotExchange | undefined> {
    const { request, response, timings, error } = this.#flow;
    if (response === undefined && error === undefined) return undefined;
    const { endpoint } = this.#endpoint;
    const asked = await finished(request, this.#request, readingOf);
    const told = response && (await finished(response, this.#response, (message) => this.#answerReading(message)));
    if (told !== undefined && !told.body.isStream) readEvent(endpoint, told.answer, told.body.content);
    const { headers } = request;
    const { content } = asked.body;
    const read = readRequest(endpoint, content);
    return exchangeOf({
      id: this.#flow.id,
      flow: this.#flow as Flow,
      endpoint: this.#endpoint,
      transport: 'http',
      asked: read,
      answer: told?.answer ?? new Answer(),
      initiator: headers.get('x-initiator') ?? read.initiator,
      interaction: headers.get('x-interaction-id'),
      request: content,
      response: told?.body.content,
      status: response?.status,
      cut: error,
      truncated: asked.body.truncated || told?.body.truncated === true,
      startMs: timings.start,
      endMs: timings.end ?? this.#flow.now(),
      firstTokenMs: this.#firstTokenMs,
    });
  }

  #answerReading(message: HttpMessage, read: (answer: Answer) => void = () => {}): AnswerReading {
    const answer = new Answer();
    const body = new BodyReader(message.headers, (event) => {
      readEvent(this.#endpoint.endpoint, answer, event);
      read(answer);
    });
    return { message, answer, body };
  }
}

function readingOf(message: HttpMessage): Reading {
  return { message, body: new BodyReader(message.headers) };
}

/** Bodies that addons may edit are read once they are settled. */
function isHeldBack({ wantsBuffer, content }: HttpMessage): boolean {
  return wantsBuffer || content !== undefined;
}

/** Has what passes read. */
function watched<R extends Reading>(reading: R): R {
  reading.message.body.watch((chunk) => reading.body.push(chunk));
  return reading;
}

/** What a message was in the end: an addon may have put another in its place. */
async function finished<R extends Reading>(
  message: HttpMessage,
  watched: R | undefined,
  begin: (message: HttpMessage) => R,
): Promise<R> {
  const isWatched = watched?.message === message;
  const reading = isWatched ? watched : begin(message);
  if (!isWatched) reading.body.push(message.content ?? message.body.raw());
  await reading.body.end();
  return reading;
}

/** What a flow that is over was, read from the bodies that were kept; undefined if it was no use of Copilot. */
export async function readExchange(flow: HttpFlow): Promise<CopilotExchange | undefined> {
  const endpoint = endpointOf(flow.request.path);
  if (endpoint === undefined || flow.request.method !== 'POST') return undefined;
  return new HttpReading(flow, endpoint).exchange();
}
