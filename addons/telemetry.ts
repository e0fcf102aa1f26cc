/**
 * Looks into the telemetry that Copilot's clients send, if it is told to: for what became of suggestions, which the
 * other addons get as `acceptance`; or for all of it. It changes nothing in it.
 */
import { bareEvent, COPILOT_TELEMETRY_HOSTS, type Context, defineAddon } from 'insight-dump';
import { z } from 'zod';
import { type Journal, newJournal, record } from './telemetry/journal.ts';

const options = z.object({
  mode: z
    .enum(['off', 'counts', 'full'])
    .default('off')
    .describe('"counts": what was shown, accepted and rejected; "full": record all that is sent, text included'),
});

declare module 'insight-dump' {
  interface AddonOptions {
    telemetry?: z.input<typeof options>;
  }
}

type TelemetryContext = Context<z.infer<typeof options>, Journal>;

export default defineAddon({
  name: 'telemetry',
  options,
  state: newJournal,

  connect(tunnel, { options }: TelemetryContext) {
    if (options.mode === 'off') return;
    const authority = `${tunnel.host}:${tunnel.port}`;
    if (COPILOT_TELEMETRY_HOSTS.some((pattern) => pattern.test(authority))) tunnel.intercept();
  },

  telemetry({ user, keep, events }, _flow, ctx: TelemetryContext) {
    if (ctx.options.mode !== 'full' || keep === 'nothing') return;
    record({ time: new Date().toISOString(), user, events: keep === 'all' ? events : events.map(bareEvent) }, ctx);
  },

  done: ({ state }: TelemetryContext) => state.written,
});
