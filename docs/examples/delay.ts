// Holds each request back for a while: to feel what an editor is like on a slow line.
// Run it: npx insight-dump -s docs/examples/delay.ts --set delay.ms=2000
import { setTimeout as sleep } from 'node:timers/promises';
import { defineAddon } from 'insight-dump';
import { z } from 'zod';

const options = z.object({
  // A hook that takes 10 s is cut, and said to be broken.
  ms: z.number().min(0).max(9_000).default(500).describe('how long each request waits, in milliseconds'),
});

export default defineAddon({
  name: 'delay',
  options,

  async requestHeaders(_flow, { options, signal }) {
    // When this instance ends, whoever still waits goes on at once.
    await sleep(options.ms, undefined, { signal }).catch(() => {});
  },
});
