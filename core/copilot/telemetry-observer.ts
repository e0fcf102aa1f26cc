import type { TelemetryBatch } from '../addon.ts';
import type { HttpFlow } from '../flow.ts';
import type { FlowObserver } from '../flow-observer.ts';
import type { Pin } from '../pin.ts';
import { BodyReader } from './body-reader.ts';
import { clientOf } from './client.ts';
import { countSuggestions, envelopesIn } from './telemetry.ts';

/** Whether a client sends telemetry. A GET of the same path asks for its experiments, and is nobody's business. */
export function isTelemetry({ request: { method, path } }: HttpFlow): boolean {
  return method === 'POST' && /^\/telemetry(\?|$)/.test(path);
}

export function isTelemetryAskedFor({ chain: { takers } }: Pin): boolean {
  return takers.telemetry.length + takers.acceptance.length > 0;
}

/** Reads telemetry while it passes, and tells of it what its server has taken. */
export class TelemetryObserver implements FlowObserver {
  readonly #flow: HttpFlow;
  readonly #pin: Pin;
  readonly #reader: BodyReader;
  readonly #isWatched: boolean;

  constructor(flow: HttpFlow, pin: Pin) {
    this.#flow = flow;
    this.#pin = pin;
    const { request } = flow;
    this.#reader = new BodyReader(request.headers);
    // What has been kept, or is held back for addons to edit, is read once it is settled.
    this.#isWatched = !request.wantsBuffer && request.content === undefined && request.body.size === 0;
    if (this.#isWatched) request.body.watch((chunk) => this.#reader.push(chunk));
  }

  answered(): void {}

  async ended(): Promise<void> {
    const { request, response, error } = this.#flow;
    if (!this.#isWatched) this.#reader.push(request.content ?? request.body.raw());
    await this.#reader.end();
    // What has failed is sent once more; that the client hangs up is no failure.
    const isTaken = response !== undefined && response.status < 400 && (error === undefined || error.by === 'client');
    if (!isTaken || this.#reader.truncated) return;
    await this.#tell(envelopesIn(this.#reader.content));
  }

  message(): void {}

  closed(): void {}

  async #tell(events: readonly unknown[]): Promise<void> {
    const flow = this.#flow;
    const { user = 'anonymous', groups } = flow.client;
    const batch: TelemetryBatch = { user, groups, keep: 'all', events };
    await this.#pin.dispatch('telemetry', batch, flow);
    if (batch.keep === 'nothing') return;
    const { editor } = clientOf(flow.request.headers);
    const timeMs = flow.timings.end ?? flow.now();
    for (const counts of countSuggestions(events))
      await this.#pin.dispatch('acceptance', { user: batch.user, groups, timeMs, editor, ...counts }, flow);
  }
}
