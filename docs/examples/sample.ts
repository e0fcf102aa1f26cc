// Counts one exchange in so many only: for those that follow in the chain, the others count as nothing.
// Run it: npx insight-dump -s docs/examples/sample.ts --set sample.every=5 -s addons/metrics.ts
import { type Context, type CopilotExchange, defineAddon, type Flow } from 'insight-dump';
import { z } from 'zod';

const options = z.object({
  every: z.int().min(1).default(10).describe('1 counts each exchange, 2 every second one, and so on'),
});

type SampleContext = Context<z.infer<typeof options>, { seen: number }>;

export default defineAddon({
  name: 'sample',
  options,
  // A counter, and no dice: what is counted can be told beforehand. It goes on over saves of this file.
  state: () => ({ seen: 0 }),
  exchange: sample,
});

function sample(exchange: CopilotExchange, _flow: Flow, { options, state }: SampleContext): void {
  // What would not be counted anyway takes nobody's place.
  if (exchange.counted.as === 'nothing') return;
  state.seen += 1;
  if (state.seen % options.every !== 0) exchange.count('nothing', `only one in ${options.every} is counted`);
}
