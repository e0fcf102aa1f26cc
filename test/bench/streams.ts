/** Streams as a model writes them: when their chunks come, and what a thousand of them hold. */

import { eventually } from '../proxy-process.ts';
import { type Alpn, VERSIONS } from './alpn.ts';
import { HELD_PATH, PACE_MS, RELEASE_PATH, STAMP } from './answers.ts';
import { ASKS } from './asks.ts';
import type { ServerAddress } from './contestant.ts';
import { openConnections, openManyConnections } from './open-connection.ts';
import { memoryOf } from './process-usage.ts';
import { quantile } from './spread.ts';
import type { Work } from './work.ts';

const PACED_AT_ONCE = 5;
const NS_PER_MS = 1e6;

/** On connections that are open: how long the first byte takes, and each chunk from the server's hand to the client's. */
export const PACED: Work = {
  name: 'paced',
  title: `Completions of a chunk each ${PACE_MS} ms, ${PACED_AT_ONCE} at once`,
  measures: ['firstByteMs', 'lagP50Ms', 'lagP99Ms'],
  async run(member) {
    const connections = await openConnections(member, ASKS.paced.host, 'h2', PACED_AT_ONCE);
    const firstMs: number[] = [];
    const lagMs: number[] = [];
    await Promise.all(
      connections.map(async (connection) => {
        // Behind a connection that has been used, there is one to the server.
        await connection.exchange(ASKS.ghost);
        const beganMs = performance.now();
        let rest = '';
        let isFirst = true;
        await connection.exchange(ASKS.paced, (piece) => {
          const now = process.hrtime.bigint();
          if (isFirst) firstMs.push(performance.now() - beganMs);
          isFirst = false;
          rest += piece.toString('latin1');
          const end = rest.lastIndexOf('\n\n');
          for (const [stamp] of rest.slice(0, Math.max(0, end)).matchAll(STAMP))
            lagMs.push(Number(now - BigInt(stamp)) / NS_PER_MS);
          rest = rest.slice(Math.max(0, end));
        });
      }),
    );
    for (const connection of connections) connection.close();
    const [lagP50Ms, lagP99Ms] = [quantile(lagMs, 0.5), quantile(lagMs, 0.99)];
    return { firstByteMs: quantile(firstMs, 0.5), lagP50Ms, lagP99Ms };
  },
};

const OPEN_LIMIT_MS = 60_000;

/** So many streams that have begun, and wait: all are then to get all that is left. */
function held(version: Alpn, connections: number, streams: number): Work {
  const all = connections * streams;
  const { short, long } = VERSIONS[version];
  return {
    name: `held-${short}-${all}`,
    title: `${all.toLocaleString('en')} streams at once, on ${connections.toLocaleString('en')} connections of ${long}`,
    measures: ['peakMiB', 'openS'],
    isFresh: true,
    maxRounds: 1,
    async run(member, { server }) {
      let openS = 0;
      const { peakMiB } = await memoryOf(member, async () => {
        const beganMs = performance.now();
        const open = await openManyConnections(member, ASKS.held.host, version, connections);
        const asked = open.flatMap((each) => Array.from({ length: streams }, () => each.exchange(ASKS.held)));
        const ended = Promise.all(asked);
        try {
          const areHeld = async () => Number(await tell(server, HELD_PATH)) === all;
          await Promise.race([ended, eventually(`${all} streams`, areHeld, OPEN_LIMIT_MS)]);
          openS = (performance.now() - beganMs) / 1_000;
        } finally {
          await tell(server, RELEASE_PATH);
        }
        await ended;
        for (const connection of open) connection.close();
      });
      return { peakMiB, openS };
    },
  };
}

async function tell({ plainPort }: ServerAddress, path: string): Promise<string> {
  return (await fetch(`http://127.0.0.1:${plainPort}${path}`)).text();
}

export const HELD: readonly Work[] = [held('h2', 10, 100), held('http/1.1', 1_000, 1)];
