import { once } from 'node:events';
import { type Direction, transfer } from '../large-bodies.ts';
import { API_HOST } from '../requests.ts';
import { type Alpn, VERSIONS } from './alpn.ts';
import { LARGE_PATH } from './answers.ts';
import { MIB_BYTES, memoryOf } from './process-usage.ts';
import type { Member } from './team.ts';
import { throughput } from './throughput.ts';
import type { Work } from './work.ts';

const BODY_MIB = 128;
/** What comes first, as in a proxy that is in use: else it is seen how a heap grows that was never used. */
const WARM_UP_MIB = 8;
const WARM_UP_SECONDS = 1;
const WARM_UP_CONNECTIONS = 8;
const LONG = throughput('long', '', 'h2', WARM_UP_CONNECTIONS);
/** Who takes longer takes minutes. */
const LIMIT_S = 20;

/** How much memory it takes to pass on what is large. */
function largeBody(version: Alpn, direction: Direction): Work {
  const { short, long } = VERSIONS[version];
  return {
    name: `${direction}-${short}`,
    title: `${BODY_MIB} MiB as one ${direction}, ${long}`,
    measures: ['grownMiB', 'mibPerSecond'],
    isFresh: true,
    maxRounds: 2,
    async run(member, context) {
      await LONG.run(member, { ...context, seconds: WARM_UP_SECONDS, requests: 0 });
      await move(member, version, direction, WARM_UP_MIB * MIB_BYTES);
      let seconds = 0;
      const { beforeMiB, peakMiB } = await memoryOf(member, async () => {
        const beganMs = performance.now();
        await move(member, version, direction, BODY_MIB * MIB_BYTES);
        seconds = (performance.now() - beganMs) / 1_000;
      });
      return { grownMiB: peakMiB - beforeMiB, mibPerSecond: BODY_MIB / seconds };
    },
  };
}

async function move({ entrant }: Member, version: Alpn, direction: Direction, bytes: number): Promise<void> {
  const socket = await entrant.open(API_HOST, version);
  const timer = setTimeout(() => socket.destroy(new Error(`it took longer than ${LIMIT_S} s`)), LIMIT_S * 1_000);
  const broken = once(socket, 'error').then(([error]) => {
    throw error as Error;
  });
  const moved = await Promise.race([transfer(socket, direction, bytes, LARGE_PATH), broken]).finally(() =>
    clearTimeout(timer),
  );
  if (moved !== bytes) throw new Error(`${moved} of ${bytes} bytes have come`);
}

export const BODIES: readonly Work[] = (['http/1.1', 'h2'] as const).flatMap((version) =>
  (['download', 'upload'] as const).map((direction) => largeBody(version, direction)),
);
