/**
 * Has the last word on what counts: by the rules of today, which the exchange comes with, or by those of the seed,
 * copilot-proxy-insight. Everything passes all the same.
 */
import { type Context, defineAddon } from 'insight-dump';
import { z } from 'zod';
import { type Interactions, type Met, noteInteraction } from './filter/interactions.ts';
import { judgeBySeed, seedSwitches } from './filter/seed-rules.ts';

const options = z.object({
  rules: z
    .enum(['today', 'seed'])
    .default('today')
    .describe('"seed": only completions and chat completions count, by the switches below'),
  ...seedSwitches,
});

declare module 'insight-dump' {
  interface AddonOptions {
    filter?: z.input<typeof options>;
  }
}

interface State {
  interactions: Interactions;
  /** Editors that have been warned about. */
  unknownEditors: Set<string>;
}

type FilterContext = Context<z.infer<typeof options>, State>;

export default defineAddon({
  name: 'filter',
  options,
  state: (): State => ({ interactions: new Map(), unknownEditors: new Set() }),

  exchange(exchange, flow, { options, state, log, worker }: FilterContext) {
    if (flow.metadata.uncounted !== undefined) return;
    if (options.rules === 'seed') judgeBySeed(exchange, options, state.unknownEditors, log);
    else if (exchange.counted.as === 'turn') {
      const { user, interaction, startMs } = exchange;
      const met: Met = { user, interaction, startMs };
      if (noteInteraction(met, state.interactions) === 'known')
        exchange.count('step', 'the interaction has been counted already');
      worker.tell(met);
    }
  },

  workerMessage(met, { state }: FilterContext) {
    noteInteraction(met as Met, state.interactions);
  },
});
