/** Telemetry as Copilot's clients send it, for tests: its envelopes are those of Application Insights. */

export interface EventGiven {
  readonly name: string;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly measurements?: Readonly<Record<string, unknown>>;
}

export function envelope({ name, properties = {}, measurements = {} }: EventGiven): object {
  return {
    ver: 1,
    name: 'Microsoft.ApplicationInsights.Event',
    time: '2026-11-25T10:00:00.000Z',
    sampleRate: 100,
    iKey: '00000000-0000-0000-0000-000000000000',
    tags: { 'ai.user.id': 'tracking', 'ai.session.id': 'session' },
    data: { baseType: 'EventData', baseData: { ver: 2, name, properties, measurements } },
  };
}

/** An event of a suggestion of two lines, which by its shape could hold text anywhere. */
export function suggestion(event: string, languageId: string, properties: object = {}): object {
  return envelope({
    name: `agent/ghostText.${event}`,
    properties: { languageId, choiceIndex: '0', ...properties },
    measurements: { numLines: 2, compCharLen: 40, timeToProduceMs: 120.5 },
  });
}

/** Words that stand for what a developer has written; they may lie in no file and no count. */
export const PLANTED = 'planted text of a file';

/** As seen with the real language server: what is asked stands in a property. */
export const WITH_TEXT = envelope({
  name: 'agent/request.sent',
  properties: { request_option_input: JSON.stringify([{ content: PLANTED }]), languageId: PLANTED },
  measurements: { [PLANTED]: 1, promptCharLen: 2_000 },
});
