import type { AnsweredFlow, FailedFlow } from '../addon.ts';
import { BODY_COPY_LIMIT_BYTES } from '../body.ts';
import { authorityOf, HttpFlow, HttpRequest, HttpResponse } from '../flow.ts';
import type { FlowObserver, FlowObservers } from '../flow-observer.ts';
import type { TrafficHook } from '../hooks.ts';
import type { Pin } from '../pin.ts';
import { ClientAnswer } from './client-answer.ts';
import { answerOf, Cut, cutOf } from './cut.ts';
import { isBodiless, requestHeaders, upgradeHeaders } from './head.ts';
import { assertClear, hasBody, type Incoming } from './incoming.ts';
import { BodyCut, collectBody, relayBody, transformHeld } from './relay.ts';
import type { Upstream } from './upstream.ts';
import type { Switched, UpstreamAnswer, UpstreamRequest } from './upstream-request.ts';

export interface ExchangeSettings {
  readonly upstream: Upstream;
  /** Keep copies of bodies even when no addon reads them. */
  readonly keepBodies: boolean;
  /** How long a server may be silent. */
  readonly idleTimeoutMs: number;
  readonly observers: FlowObservers;
  /** Told of each flow once it has ended and its hooks have run. */
  readonly ended: (flow: HttpFlow) => void;
}

/** Bodies that addons want to hold back may be no larger. */
export const BUFFER_LIMIT_BYTES = 32 * 1024 * 1024;

type FlowHook = Exclude<TrafficHook, 'connect'>;

/** One request's way through the hooks and to the upstream, and its answer's way back. */
export class Exchange {
  readonly #in: Incoming;
  readonly #client: ClientAnswer;
  readonly #pin: Pin;
  readonly #settings: ExchangeSettings;
  readonly #flow: HttpFlow;
  #upstream: UpstreamRequest | undefined;
  /** Ends the wait for a connection to the server. */
  #giveUp: ((cut: Cut) => void) | undefined;
  /** The server's connection, which has left HTTP and is not handed on yet. */
  #server: Switched | undefined;
  /** Why it ended early, where that was not noticed by reading or writing. */
  #cut: Cut | undefined;
  #observer: FlowObserver | undefined;
  /** The `response` hooks have been called: `error` must not be. */
  #concluded = false;

  constructor(incoming: Incoming, pin: Pin, settings: ExchangeSettings) {
    this.#in = incoming;
    this.#client = new ClientAnswer(incoming.response, incoming.method, () => this.#stop(Cut.client()));
    this.#pin = pin;
    this.#settings = settings;
    const { client, target, method, path } = incoming;
    const headersOf = incoming.switched === undefined ? requestHeaders : upgradeHeaders;
    const headers = headersOf(incoming.headers, authorityOf(target));
    const httpVersion = incoming.httpVersion as HttpRequest['httpVersion'];
    const head = { method, target, path, headers, httpVersion };
    this.#flow = new HttpFlow(client, new HttpRequest(head, this.#copyLimit('request')));
  }

  /** Resolves when the exchange is over, one way or the other; the pin is still held. Never rejects. */
  async run(): Promise<void> {
    // What breaks there shows where it is read; without a listener it would end the process.
    this.#in.stream.on('error', () => {});
    try {
      await this.#exchange();
      this.#dropRest();
      await this.#deliver();
    } catch (error) {
      await this.#fail(this.#cut ?? cutOf(error, 'client'));
      this.#dropRest();
    }
    if (this.#client.delivered && this.#upstream?.sent === false) this.#client.wantNoMore();
    await this.#observed();
    this.#settings.ended(this.#flow);
  }

  /**
   * Lets go of what is left of the request, once the answer is here. A server that has answered early may never read it;
   * and as long as a request is not read to its end, Node does not tell when the client leaves.
   */
  #dropRest(): void {
    if (this.#upstream?.sent === false) this.#upstream.destroy();
    this.#in.stream.resume();
  }

  async #exchange(): Promise<void> {
    const { blockedBy } = this.#pin.chain;
    if (blockedBy !== undefined) throw Cut.blocked(blockedBy);
    assertClear(this.#in.headers);
    const { request } = this.#flow;
    try {
      await this.#hook('requestHeaders');
    } finally {
      // One that was killed there, or given up by its client, was a use all the same.
      this.#observer = this.#settings.observers.observe(this.#flow, this.#pin);
    }
    if (this.#flow.answer === undefined && request.wantsBuffer) await this.#holdRequest();
    if (this.#flow.answer !== undefined) return this.#answer();
    const upstream = await this.#open();
    const sent = this.#sendBody(upstream).catch((error) => this.#stop(cutOf(error, 'client')));
    const answer = await upstream.answer().catch((error: Cut) => this.#askAgain(upstream, error));
    await this.#relayAnswer(answer, sent);
  }

  // ------------------------------------------------------------------------------------------------------- the request

  /** Brings the whole request here, and lets addons edit it. */
  async #holdRequest(): Promise<void> {
    const { request, timings } = this.#flow;
    request.content = await collectBody(this.#in.stream, request, 'request', BUFFER_LIMIT_BYTES);
    timings.requestEnd = this.#flow.now();
    if (hasBody(this.#in)) request.headers.set('content-length', String(request.content.length));
    request.stage = 'held';
    await this.#hook('request');
  }

  async #open(connection?: 'fresh'): Promise<UpstreamRequest> {
    // What is broken may come in the same packet as the head.
    if (this.#cut !== undefined) throw this.#cut;
    const { request } = this.#flow;
    const { method, path, target, headers, content } = request;
    request.stage = content === undefined ? 'streaming' : 'sent';
    const head = {
      target,
      method,
      path,
      headers,
      hasBody: content === undefined ? hasBody(this.#in) : content.length > 0,
      upgrades: this.#in.switched !== undefined,
    };
    const offer = this.#in.httpVersion === '2.0' ? 'h2' : 'http/1.1';
    const upstream = await this.#opened(this.#settings.upstream.request(head, offer, connection));
    this.#upstream = upstream;
    const { idleTimeoutMs } = this.#settings;
    upstream.onSilence(idleTimeoutMs, () => this.#stop(Cut.silent(idleTimeoutMs)));
    upstream.onInterim((status, fields) => this.#client.inform(status, fields));
    return upstream;
  }

  /** Waits until a request is open, unless the exchange is over before. */
  #opened(opening: Promise<UpstreamRequest>): Promise<UpstreamRequest> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      opening.then(
        (upstream) => (this.#cut === undefined ? resolve(upstream) : upstream.destroy()),
        (error) => reject(Cut.upstream(error)),
      );
    });
  }

  /**
   * A request that the server cannot have taken up is made once more, if all that was sent is still here.
   *
   * @throws the cut that ended the first try
   */
  async #askAgain(failed: UpstreamRequest, cut: Cut): Promise<UpstreamAnswer> {
    const body = this.#sentBody();
    if (!failed.wasMissed() || body === undefined || this.#cut !== undefined) throw cut;
    const again = await this.#open('fresh');
    again.end(body);
    return again.answer();
  }

  /** The request's body as it was sent; undefined when it is not over, or not all of it was kept. */
  #sentBody(): Buffer | undefined {
    const { request, timings } = this.#flow;
    if (request.content !== undefined) return request.content;
    if (!hasBody(this.#in)) return Buffer.alloc(0);
    return timings.requestEnd === undefined || request.body.truncated ? undefined : request.body.raw();
  }

  async #sendBody(upstream: UpstreamRequest): Promise<void> {
    const { request, timings } = this.#flow;
    if (request.content !== undefined) {
      upstream.end(request.content);
      return;
    }
    let last: Uint8Array | undefined;
    if (hasBody(this.#in)) {
      try {
        last = await relayBody(this.#in.stream, upstream.sink, request);
      } catch (error) {
        if (!(error instanceof BodyCut) || error.side === 'source') throw error;
        // The server wants no more of it. It may have answered; if not, that shows there.
        this.#in.stream.resume();
        return;
      }
    } else {
      // A stream of HTTP/2 that is reset without an error closes only once it has been read to its end.
      this.#in.stream.resume();
    }
    upstream.end(last, this.#in.trailers());
    // A server may have answered all before, or somebody broken off: then it is over, and no hook may follow.
    if (this.#concluded || this.#cut !== undefined) return;
    timings.requestEnd = this.#flow.now();
    await this.#hook('request');
  }

  // ------------------------------------------------------------------------------------------------------ the response

  async #relayAnswer(answer: UpstreamAnswer, sent: Promise<void>): Promise<void> {
    const flow = this.#flow;
    this.#server = answer.switched;
    const response = new HttpResponse(answer, this.#copyLimit('response'));
    flow.response = response;
    flow.timings.responseStart = flow.now();
    // The request may still be on its way; but once it is through, its hook comes first.
    if (flow.timings.requestEnd !== undefined) await sent;
    await this.#hook('responseHeaders');
    if (flow.answer !== undefined) {
      this.#upstream?.destroy();
      this.#hangUp();
      return this.#send(this.#takeAnswer());
    }
    this.#observer?.answered();
    if (this.#server !== undefined) return this.#sendSwitch(response);
    try {
      if (response.wantsBuffer) await this.#holdResponse(answer, response);
      else await this.#streamResponse(answer, response);
    } catch (error) {
      throw cutOf(error, 'upstream');
    }
  }

  async #streamResponse(answer: UpstreamAnswer, response: HttpResponse): Promise<void> {
    response.stage = 'streaming';
    this.#flow.answerable = false;
    this.#client.sendHead(response);
    const last = await relayBody(answer.body, this.#client.sink, response, () => {
      this.#flow.timings.firstByte = this.#flow.now();
    });
    this.#client.end(last, answer.trailers());
  }

  async #holdResponse(answer: UpstreamAnswer, response: HttpResponse): Promise<void> {
    const content = await collectBody(answer.body, response, 'response', BUFFER_LIMIT_BYTES);
    if (!isBodiless(this.#flow.request.method, response.status)) {
      response.content = content;
      response.headers.set('content-length', String(content.length));
    }
    await this.#send(response);
  }

  /** Tells the client that the server agrees, unless an addon makes something else of that. */
  async #sendSwitch(response: HttpResponse): Promise<void> {
    if (response.status !== 101) {
      this.#hangUp();
      return this.#send(response);
    }
    response.stage = 'sent';
    this.#flow.answerable = false;
    this.#client.send(response);
  }

  /** An addon's answer, without the upstream: the later hooks see it all the same. */
  async #answer(): Promise<void> {
    // Left unread, a request body would hold up the connection.
    this.#in.stream.resume();
    const response = this.#takeAnswer();
    await this.#hook('responseHeaders');
    if (this.#flow.answer === undefined) await transformHeld(response);
    await this.#send(this.#flow.answer === undefined ? response : this.#takeAnswer());
  }

  #takeAnswer(): HttpResponse {
    const flow = this.#flow;
    const response = HttpResponse.from(flow.answer as NonNullable<HttpFlow['answer']>);
    flow.answer = undefined;
    flow.response = response;
    flow.timings.responseStart ??= flow.now();
    return response;
  }

  /** Sends a response that is here as a whole, after its `response` hooks. */
  async #send(held: HttpResponse): Promise<void> {
    held.stage = 'held';
    this.#concluded = true;
    await this.#hook('response');
    const response = this.#flow.answer === undefined ? held : this.#takeAnswer();
    this.#flow.answerable = false;
    this.#client.send(response);
  }

  // --------------------------------------------------------------------------------------------------------- the ending

  /** Waits until the client has it all; then the flow is complete. */
  async #deliver(): Promise<void> {
    if (this.#cut === undefined) await this.#client.settled();
    if (!this.#client.delivered) throw this.#cut ?? Cut.client();
    this.#flow.timings.end = this.#flow.now();
    if (this.#server !== undefined) this.#in.switched?.(this.#flow, this.#server, this.#observer);
    this.#server = undefined;
    if (this.#concluded) return;
    this.#concluded = true;
    await this.#pin.dispatch('response', this.#flow as AnsweredFlow);
  }

  async #observed(): Promise<void> {
    try {
      await this.#observer?.ended();
    } catch {
      // A required addon failed, which is on the log; the client has its answer.
    }
  }

  /** Ends it from outside of the reading and writing, which then fails. */
  #stop(cut: Cut): void {
    this.#cut ??= cut;
    // Without an error: its connection may be between two requests, where nobody listens for one.
    this.#upstream?.destroy();
    this.#giveUp?.(this.#cut);
    this.#hangUp();
  }

  /** Lets go of a server that was ready to speak another protocol. */
  #hangUp(): void {
    this.#server?.socket.destroy();
    this.#server = undefined;
  }

  async #fail(cut: Cut): Promise<void> {
    const flow = this.#flow;
    flow.error = cut.toFlowError();
    flow.answerable = false;
    this.#upstream?.destroy();
    this.#hangUp();
    if (!this.#client.delivered) this.#refuse(cut);
    flow.timings.end ??= flow.now();
    if (this.#concluded) return;
    this.#concluded = true;
    try {
      await this.#pin.dispatch('error', flow as FailedFlow);
    } catch {
      // A required addon failed, which is on the log; there is nothing left to refuse.
    }
  }

  /** Tells the client: by a proper answer while that is possible, by breaking off otherwise. */
  #refuse(cut: Cut): void {
    // What the client still sends has to be read, or it never reads what it is told.
    this.#in.stream.resume();
    if (this.#client.begun || cut.silent) this.#client.breakOff();
    else this.#client.send(HttpResponse.from(answerOf(cut)));
  }

  /** Runs a hook; then goes on, unless an addon or the client has put an end to it. */
  async #hook(hook: FlowHook): Promise<void> {
    const pending = this.#pin.dispatch(hook, this.#flow);
    if (pending !== undefined) await pending;
    if (this.#cut !== undefined) throw this.#cut;
    if (this.#flow.killed) throw Cut.killed();
  }

  #copyLimit(message: 'request' | 'response'): number {
    return this.#pin.chain.reads[message] || this.#settings.keepBodies ? BODY_COPY_LIMIT_BYTES : 0;
  }
}
