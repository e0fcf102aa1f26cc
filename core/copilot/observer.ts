import type { HttpFlow } from '../flow.ts';
import type { FlowObserver, FlowObservers } from '../flow-observer.ts';
import type { Pin } from '../pin.ts';
import { Conversation } from './conversation.ts';
import { type Endpoint, endpointOf } from './endpoint.ts';
import { HttpReading } from './http-reading.ts';
import { isTelemetry, isTelemetryAskedFor, TelemetryObserver } from './telemetry-observer.ts';

/**
 * Looks at the uses of Copilot among the flows, while some addon has an `exchange` hook; at telemetry, likewise.
 *
 * @param report told of what goes wrong in looking on: the flow is not
 */
export function copilotObservers(report: (error: unknown) => void): FlowObservers {
  return {
    observe(flow, pin) {
      if (isTelemetry(flow))
        return isTelemetryAskedFor(pin) ? guarded(new TelemetryObserver(flow, pin), report) : undefined;
      if (!isAskedFor(pin)) return undefined;
      const endpoint = endpointOf(flow.request.path);
      return endpoint === undefined ? undefined : guarded(observerOf(flow, pin, endpoint, report), report);
    },

    readsWebSocket: (path, pin) => isAskedFor(pin) && endpointOf(path)?.endpoint === 'responses',
  };
}

function observerOf(
  flow: HttpFlow,
  pin: Pin,
  endpoint: Endpoint,
  report: (error: unknown) => void,
): FlowObserver | undefined {
  if (flow.request.method === 'POST') return new HttpObserver(flow, pin, endpoint, report);
  const isWebSocket = flow.request.headers.get('upgrade')?.toLowerCase() === 'websocket';
  return isWebSocket && endpoint.endpoint === 'responses' ? new Conversation(flow, pin, endpoint) : undefined;
}

function isAskedFor({ chain }: Pin): boolean {
  return chain.takers.exchange.length > 0;
}

/** What fails in looking on must not end what it looks at. It is not asked again, then. */
function guarded(observer: FlowObserver | undefined, report: (error: unknown) => void): FlowObserver | undefined {
  if (observer === undefined) return undefined;
  let isBroken = false;
  const safely = <T>(look: () => T): T | undefined => {
    if (isBroken) return undefined;
    try {
      return look();
    } catch (error) {
      isBroken = true;
      report(error);
      return undefined;
    }
  };
  return {
    answered: () => safely(() => observer.answered()),
    ended: () => safely(() => observer.ended()),
    message: (message) => safely(() => observer.message(message)),
    closed: (close) => safely(() => observer.closed(close)),
  };
}

/** Tells the `exchange` hooks of one request and its answer. */
class HttpObserver implements FlowObserver {
  readonly #flow: HttpFlow;
  readonly #pin: Pin;
  readonly #reading: HttpReading;
  readonly #report: (error: unknown) => void;

  constructor(flow: HttpFlow, pin: Pin, endpoint: Endpoint, report: (error: unknown) => void) {
    this.#flow = flow;
    this.#pin = pin;
    this.#report = report;
    this.#reading = new HttpReading(flow, endpoint);
    this.#reading.watchRequest();
  }

  answered(): void {
    this.#reading.watchResponse();
  }

  async ended(): Promise<void> {
    const exchange = await this.#reading.exchange().catch(this.#report);
    if (exchange !== undefined) await this.#pin.dispatch('exchange', exchange, this.#flow);
  }

  message(): void {}

  closed(): void {}
}
