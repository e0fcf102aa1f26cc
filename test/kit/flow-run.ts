import { Readable } from 'node:stream';
import type { AnsweredFlow, CopilotExchange, FailedFlow, FlowError, HeaderList } from '../../core/addon.ts';
import { readExchange } from '../../core/copilot/http-reading.ts';
import { isTelemetry, TelemetryObserver } from '../../core/copilot/telemetry-observer.ts';
import { collectBody, transformHeld } from '../../core/engine/relay.ts';
import { type HttpFlow, type HttpMessage, HttpResponse } from '../../core/flow.ts';
import type { Pin } from '../../core/pin.ts';
import { BODY_LIMIT_BYTES, chunksOf, headersOf, type TestFlow } from './test-flow.ts';

/** A message as it arrived at the other end. */
export interface Arrived {
  readonly headers: HeaderList;
  /** As UTF-8. */
  readonly body: string;
  readonly bytes: Buffer;
}

/** What became of a flow. */
export interface Outcome {
  /** What the upstream got; undefined when it was not asked. */
  readonly sent: (Arrived & { readonly method: string; readonly url: string }) | undefined;
  /** What the client got; undefined when it was cut off. */
  readonly received: (Arrived & { readonly status: number }) | undefined;
  /** The use of Copilot that it was, as the `exchange` hook left it; undefined if it was none. */
  readonly exchange: CopilotExchange | undefined;
}

type Went = Omit<Outcome, 'exchange'>;

/** One flow's way, as the engine goes it. */
export class FlowRun {
  readonly #flow: TestFlow;
  readonly #pin: Pin;
  #sent: Outcome['sent'];

  constructor(flow: TestFlow, pin: Pin) {
    this.#flow = flow;
    this.#pin = pin;
  }

  async run(): Promise<Outcome> {
    const outcome = await this.#go();
    if (isTelemetry(this.#flow)) await new TelemetryObserver(this.#flow, this.#pin).ended();
    const exchange = await readExchange(this.#flow);
    if (exchange !== undefined) await this.#pin.dispatch('exchange', exchange, this.#flow);
    return { ...outcome, exchange };
  }

  async #go(): Promise<Went> {
    const { request } = this.#flow;
    await this.#pin.dispatch('requestHeaders', this.#flow);
    if (this.#flow.killed) return this.#fail(KILLED);
    if (this.#flow.answer === undefined) await this.#arriveRequest();
    if (this.#flow.killed) return this.#fail(KILLED);
    // Streamed, it has reached the upstream by now, whose answer is replaced later.
    if (this.#flow.answer !== undefined && request.stage !== 'streaming') return this.#answer();
    this.#sent = { method: request.method, url: request.url, ...arrived(request) };
    return this.#respond();
  }

  async #arriveRequest(): Promise<void> {
    const { request } = this.#flow;
    await arrive(request, this.#flow.requestChunks, 'request');
    this.#flow.timings.requestEnd = this.#flow.now();
    request.stage = request.wantsBuffer ? 'held' : 'streaming';
    await this.#pin.dispatch('request', this.#flow);
  }

  async #respond(): Promise<Went> {
    const flow = this.#flow;
    const { upstream, failure } = flow;
    if (failure !== undefined && upstream === undefined) return this.#fail(failure);
    const { status = 200, headers = {}, body = '' } = upstream ?? {};
    const head = { status, statusText: '', headers: headersOf(headers), httpVersion: '1.1' } as const;
    const response = new HttpResponse(head, BODY_LIMIT_BYTES);
    flow.response = response;
    flow.timings.responseStart = flow.now();
    await this.#pin.dispatch('responseHeaders', flow as AnsweredFlow);
    if (flow.killed) return this.#fail(KILLED);
    if (flow.answer !== undefined) return this.#conclude(this.#takeAnswer());
    await arrive(response, chunksOf(body), 'response');
    if (failure !== undefined) return this.#fail(failure);
    flow.answerable = response.wantsBuffer;
    return this.#conclude(response);
  }

  async #answer(): Promise<Went> {
    const response = this.#takeAnswer();
    await this.#pin.dispatch('responseHeaders', this.#flow as AnsweredFlow);
    if (this.#flow.killed) return this.#fail(KILLED);
    if (this.#flow.answer === undefined) await transformHeld(response);
    return this.#conclude(this.#flow.answer === undefined ? response : this.#takeAnswer());
  }

  #takeAnswer(): HttpResponse {
    const flow = this.#flow;
    const response = HttpResponse.from(flow.answer as NonNullable<HttpFlow['answer']>);
    flow.answer = undefined;
    flow.response = response;
    return response;
  }

  async #conclude(response: HttpResponse): Promise<Went> {
    const flow = this.#flow;
    flow.timings.end = flow.now();
    response.stage = response.content === undefined ? 'streaming' : 'held';
    await this.#pin.dispatch('response', flow as AnsweredFlow);
    const last = flow.answer === undefined ? response : this.#takeAnswer();
    return { sent: this.#sent, received: { status: last.status, ...arrived(last) } };
  }

  async #fail(error: FlowError): Promise<Went> {
    this.#flow.error = error;
    this.#flow.timings.end = this.#flow.now();
    await this.#pin.dispatch('error', this.#flow as FailedFlow);
    return { sent: this.#sent, received: undefined };
  }
}

const KILLED: FlowError = { by: 'addon', code: 'KILLED', message: 'an addon killed the flow' };

/** Takes a body through a message's transforms into its copy; holds it where the addon asked for that. */
async function arrive(message: HttpMessage, chunks: readonly Buffer[], kind: 'request' | 'response'): Promise<void> {
  const whole = await collectBody(Readable.from(chunks), message, kind, BODY_LIMIT_BYTES);
  if (message.wantsBuffer) message.content = whole;
}

function arrived(message: HttpMessage): Arrived {
  const bytes = message.content ?? message.body.raw();
  return { headers: message.headers, body: bytes.toString(), bytes };
}
