/**
 * Records and counts random exchanges, and lives until its standard input ends, or it is killed. Run as a process of its
 * own, built: `counting-process.mjs <folder for logs> <seed> <how many> [addons]`.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { z } from 'zod';
import metrics from '../addons/metrics.ts';
import { options } from '../addons/usage/options.ts';
import usage from '../addons/usage.ts';
import type { Addon, CopilotExchange } from '../core/addon.ts';
import { anyInsight } from './addons/metrics/insights.ts';
import { AddonTest } from './kit/addon-test.ts';
import { makeFlow } from './kit.ts';

const [logs = '', seed = '', many = '', addons = 'usage,metrics'] = process.argv.slice(2);
const PER_MILLISECOND = 4;
/** As many are under way at a time, as in a proxy. */
const AT_A_TIME = 200;

/** As lines, which is faster, and with room for all of them: none is to be lost but by a kill. */
const recordOptions = options.extend({
  format: z.literal('ndjson').default('ndjson'),
  maxQueued: z.int().default(Number(many) + 1),
});
const known: Record<string, Addon> = {
  usage: { ...(usage as Addon), options: recordOptions },
  metrics: metrics as Addon,
};
const host = new AddonTest({ logs });
await host.begin(addons.split(',').map((name) => ({ name, addon: known[name] as Addon })));
process.stdout.write('counting\n');

async function tell(exchange: CopilotExchange): Promise<void> {
  const pin = host.host.pin();
  await pin.dispatch('exchange', exchange, flow);
  pin.release();
}

const insights = fc.sample(anyInsight(0, 2), { seed: Number(seed), numRuns: Number(many) });
const flow = makeFlow({
  url: 'https://api.githubcopilot.com/chat/completions',
  method: 'POST',
  response: { body: '{}' },
});
const underWay = new Set<Promise<void>>();
for (const [i, { client: address, ...insight }] of insights.entries()) {
  const endMs = Date.now() + Math.random();
  const exchange: CopilotExchange = {
    ...insight,
    ...{ id: randomUUID(), endMs, startMs: endMs - (insight.endMs - insight.startMs) },
    ...{ keep: 'all', address, machine: undefined, request: {}, response: {}, prompt: 'a', choices: [], count() {} },
  };
  const told = tell(exchange).finally(() => underWay.delete(told));
  underWay.add(told);
  if (underWay.size >= AT_A_TIME) await Promise.race(underWay);
  if (i % PER_MILLISECOND === 0) await sleep(1);
}
await Promise.all(underWay);
process.stdout.write('counted\n');
await once(process.stdin.resume(), 'end');
await host.stop();
