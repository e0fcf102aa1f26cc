/**
 * Records and counts random exchanges as fast as it can, and lives until its standard input ends, or it is killed. Run as
 * a process of its own: `counting-process.ts <folder for logs> <seed> <how many> [addons]`.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fc from 'fast-check';
import metrics from '../addons/metrics.ts';
import usage from '../addons/usage.ts';
import type { Addon, CopilotExchange } from '../core/addon.ts';
import { anyInsight } from './addons/metrics/insights.ts';
import { AddonTest } from './kit/addon-test.ts';
import { makeFlow } from './kit.ts';

const [logs = '', seed = '', many = '', addons = 'usage,metrics'] = process.argv.slice(2);
const AT_ONCE = 64;

const known: Record<string, Addon> = { usage: usage as Addon, metrics: metrics as Addon };
const host = new AddonTest({ logs });
await host.begin(addons.split(',').map((name) => ({ name, addon: known[name] as Addon })));
process.stdout.write('counting\n');

const insights = fc.sample(anyInsight(0, 2), { seed: Number(seed), numRuns: Number(many) });
const flow = makeFlow({
  url: 'https://api.githubcopilot.com/chat/completions',
  method: 'POST',
  response: { body: '{}' },
});
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let next = insights.pop(); next !== undefined; next = insights.pop()) {
      const endMs = Date.now() + Math.random();
      const content = { keep: 'all', request: {}, response: {}, prompt: 'a', choices: [], count() {} } as const;
      const { client: address, ...counted } = next;
      const exchange: CopilotExchange = {
        ...counted,
        ...content,
        address,
        machine: undefined,
        id: randomUUID(),
        endMs,
        startMs: endMs - (next.endMs - next.startMs),
      };
      const pin = host.host.pin();
      await pin.dispatch('exchange', exchange, flow);
      pin.release();
    }
  }),
);
process.stdout.write('counted\n');
await once(process.stdin.resume(), 'end');
await host.stop();
