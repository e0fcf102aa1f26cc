import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ProxyProcess } from '../proxy-process.ts';
import { setBusyStage } from '../stage.ts';
import { configOf } from '../tagging.ts';
import type { Traffic } from '../traffic.ts';
import { HEAP_ADDON } from './heap-addon.ts';

const ROUNDS = 250;
/** By then, all caches are as warm as they get. */
const WARM_AFTER_ROUNDS = 25;
const ADDONS = ['one', 'two', 'three'];
/** What is saved in each round: the addons and the config. */
const SAVES_PER_ROUND = ADDONS.length + 1;
const LIVE_LIMIT_MS = 5_000;
const HEAP_SLACK_BYTES = 8 * 1024 * 1024;

const addon = (name: string, version: number) => `
  import { defineAddon } from 'insight-dump';
  import { z } from 'zod';
  const ballast = Array.from({ length: 10_000 }, (_, i) => ({ i }));
  export default defineAddon({
    options: z.object({ round: z.number().default(0) }),
    state: () => ({ answers: 0 }),
    responseHeaders(flow, ctx) {
      ctx.state.answers += ballast.length;
      flow.response.headers.append('x-tag', '${name}:${version}:' + ctx.options.round);
    },
  });`;

const config = (round: number) =>
  configOf(
    [...ADDONS.map((name) => `'${name}.ts'`), `'heap.ts'`].join(),
    `options: { auth: { users: ['alice'] }, one: { round: ${round} }, two: { round: ${round} }, three: { round: ${round} } },`,
  );
const tagsOf = (round: number) => ADDONS.map((name) => `${name}:${round}:${round}`);

describe('a storm of saves', () => {
  let proxy: ProxyProcess;
  let traffic: Traffic;
  const files = { ...Object.fromEntries(ADDONS.map((name) => [`${name}.ts`, addon(name, 0)])), 'heap.ts': HEAP_ADDON };
  setBusyStage({ config: config(0), files }, (stage) => {
    ({ proxy, traffic } = stage);
  });

  const used = async () => JSON.parse((await traffic.ask('/heap')).body) as NodeJS.MemoryUsage;

  it(`of ${ROUNDS * SAVES_PER_ROUND} files under load fails no request, ends with the last versions, and leaves the heap flat`, async (t) => {
    const tookMs: number[] = [];
    let warm: NodeJS.MemoryUsage | undefined;
    for (let round = 1; round <= ROUNDS; round++) {
      // The files are saved in another order each time.
      const saves = [
        ...ADDONS.map((name) => () => proxy.write(`${name}.ts`, addon(name, round))),
        () => proxy.write('addons.config.ts', config(round)),
      ];
      for (let i = 0; i < saves.length; i++) saves[(i + round) % saves.length]?.();
      tookMs.push(...(await timesToLive(round)));
      if (round === WARM_AFTER_ROUNDS) warm = await used();
    }
    const end = await used();
    assert.equal(await traffic.tag(), tagsOf(ROUNDS).join(', '));
    const grown = end.heapUsed - (warm?.heapUsed ?? 0);
    tookMs.sort((a, b) => a - b);
    const [p50, p95, max] = [0.5, 0.95, 1].map((part) =>
      Math.round(tookMs[Math.ceil(tookMs.length * part) - 1] as number),
    );
    t.diagnostic(`save to live, ${tookMs.length} times: p50 ${p50} ms, p95 ${p95} ms, max ${max} ms`);
    t.diagnostic(`heap ${mib(end.heapUsed)}, grown by ${mib(grown)}; RSS ${mib(end.rss)}; ${traffic.sent} requests`);
    assert.ok(grown < HEAP_SLACK_BYTES, `the heap has grown by ${mib(grown)}`);
  });

  /** How long each addon took to be live with both its code and its option of this round, in ms. */
  async function timesToLive(round: number): Promise<number[]> {
    const began = performance.now();
    const took = new Map<string, number>();
    const wanted = tagsOf(round);
    while (took.size < wanted.length) {
      const tags = (await traffic.tag()).split(', ');
      const elapsed = performance.now() - began;
      for (const tag of wanted) if (tags.includes(tag) && !took.has(tag)) took.set(tag, elapsed);
      assert.ok(elapsed < LIVE_LIMIT_MS, `round ${round}: ${tags}\n${proxy.output.slice(-2_000)}`);
      await sleep(2);
    }
    return [...took.values()];
  }
});

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
