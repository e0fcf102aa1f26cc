import { once } from 'node:events';
import { type Direction, transfer } from '../large-bodies.ts';
import { rssBytes, watchRss } from '../process-stats.ts';
import { API_HOST } from '../requests.ts';
import { LARGE_PATH } from './answers.ts';
import type { Alpn } from './contestant.ts';
import type { Work } from './work.ts';

const BODY_MIB = 128;
/** For its code to be compiled, and its buffers to be made. */
const WARM_UP_MIB = 8;
const MIB = 1024 ** 2;
/** Who takes longer takes minutes. */
const LIMIT_S = 20;

/** How much memory it takes to pass on what is large. */
function largeBody(version: Alpn, direction: Direction): Work {
  const [short, long] = version === 'h2' ? ['h2', 'HTTP/2'] : ['h1', 'HTTP/1.1'];
  return {
    name: `${direction}-${short}`,
    title: `${BODY_MIB} MiB as one ${direction}, ${long}`,
    measures: ['grownMiB', 'mibPerSecond'],
    isFresh: true,
    maxRounds: 3,
    async run({ entrant }) {
      if (entrant.pid === undefined) throw new Error('no process to look at');
      const move = async (bytes: number) => {
        const socket = await entrant.open(API_HOST, version);
        const timer = setTimeout(() => socket.destroy(new Error(`it took longer than ${LIMIT_S} s`)), LIMIT_S * 1_000);
        const broken = once(socket, 'error').then(([error]) => {
          throw error as Error;
        });
        const moved = await Promise.race([transfer(socket, direction, bytes, LARGE_PATH), broken]);
        clearTimeout(timer);
        if (moved !== bytes) throw new Error(`${moved} of ${bytes} bytes have come`);
      };
      await move(WARM_UP_MIB * MIB);
      const before = rssBytes(entrant.pid);
      const rss = watchRss(entrant.pid);
      const beganMs = performance.now();
      await move(BODY_MIB * MIB);
      const seconds = (performance.now() - beganMs) / 1_000;
      return { grownMiB: (rss.stop() - before) / MIB, mibPerSecond: BODY_MIB / seconds };
    },
  };
}

export const BODIES: readonly Work[] = (['http/1.1', 'h2'] as const).flatMap((version) =>
  (['download', 'upload'] as const).map((direction) => largeBody(version, direction)),
);
