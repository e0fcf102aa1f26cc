/** How soon a saved addon is live. */
import { setTimeout as sleep } from 'node:timers/promises';
import { askHttp1 } from '../clients.ts';
import { tagging } from '../tagging.ts';
import { ASKS } from './asks.ts';
import { insightDump, shippedConfig } from './insight-dump.ts';
import { quantile } from './spread.ts';
import type { Work } from './work.ts';

const SCRIPT = 'tag.ts';
const SAVES = 25;
const ASK_PAUSE_MS = 2;
const LIVE_LIMIT_MS = 10_000;

export const savedAddon = insightDump({
  name: 'insight-dump, all addons and one that is saved',
  about: 'an addon that sets a header of each answer is saved again and again, while requests come one after another',
  config: shippedConfig(['alice'], [SCRIPT]),
  files: { [SCRIPT]: tagging('first') },
  users: ['alice'],
});

let saved = 0;

export const SAVE: Work = {
  name: 'save',
  title: 'From a save until it is live',
  measures: ['liveP50Ms', 'liveP95Ms'],
  async run({ entrant }) {
    const { host, path, headers, body } = ASKS.json;
    const tunnel = await entrant.open(host, 'http/1.1');
    const asked = { ...headers, ':method': 'POST', ':path': path };
    const tookMs: number[] = [];
    for (let i = 0; i < SAVES; i++) {
      saved += 1;
      const tag = `version-${saved}`;
      const beganMs = performance.now();
      entrant.save?.(SCRIPT, tagging(tag));
      for (;;) {
        const answer = await askHttp1(tunnel, asked, body.toString());
        if (answer.headers['x-tag'] === tag) break;
        if (performance.now() - beganMs > LIVE_LIMIT_MS) throw new Error(`not live after ${LIVE_LIMIT_MS} ms`);
        await sleep(ASK_PAUSE_MS);
      }
      tookMs.push(performance.now() - beganMs);
    }
    tunnel.destroy();
    return { liveP50Ms: quantile(tookMs, 0.5), liveP95Ms: quantile(tookMs, 0.95) };
  },
};
