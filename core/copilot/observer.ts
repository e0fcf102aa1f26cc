import type { HttpFlow } from '../flow.ts';
import type { FlowObserver, FlowObservers } from '../flow-observer.ts';
import type { Pin } from '../pin.ts';
import { Conversation } from './conversation.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';
import { HttpReading } from './http-reading.ts';
import { isTelemetry, isTelemetryAskedFor, TelemetryObserver } from './telemetry-observer.ts';

/** Looks at the uses of Copilot among the flows, while some addon has an `exchange` hook; at telemetry, likewise. */
export const copilotObservers: FlowObservers = {
  observe(flow, pin) {
    if (isTelemetry(flow)) return isTelemetryAskedFor(pin) ? new TelemetryObserver(flow, pin) : undefined;
    if (!isAskedFor(pin)) return undefined;
    const endpoint = endpointOf(flow.request.path);
    if (endpoint === undefined) return undefined;
    if (flow.request.method === 'POST') return new HttpObserver(flow, pin, endpoint);
    const isWebSocket = flow.request.headers.get('upgrade')?.toLowerCase() === 'websocket';
    return isWebSocket && endpoint.endpoint === 'responses' ? new Conversation(flow, pin, endpoint) : undefined;
  },

  readsWebSocket: (path, pin) => isAskedFor(pin) && endpointOf(path)?.endpoint === 'responses',
};

function isAskedFor({ chain }: Pin): boolean {
  return chain.takers.exchange.length > 0;
}

/** Tells the `exchange` hooks of one request and its answer. */
class HttpObserver implements FlowObserver {
  readonly #flow: HttpFlow;
  readonly #pin: Pin;
  readonly #reading: HttpReading;

  constructor(flow: HttpFlow, pin: Pin, endpoint: Endpoint) {
    this.#flow = flow;
    this.#pin = pin;
    this.#reading = new HttpReading(flow, endpoint);
    this.#reading.watchRequest();
  }

  answered(): void {
    this.#reading.watchResponse();
  }

  async ended(): Promise<void> {
    const exchange = await this.#reading.exchange();
    if (exchange !== undefined) await this.#pin.dispatch('exchange', exchange, this.#flow);
  }

  message(): void {}

  closed(): void {}
}
