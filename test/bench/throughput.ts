/** As many requests as go through. */

import { type Alpn, VERSIONS } from './alpn.ts';
import type { AnswerName } from './answers.ts';
import { ASKS, type Ask } from './asks.ts';
import type { Connection } from './connection.ts';
import type { Sample } from './measures.ts';
import { openConnection, openConnections } from './open-connection.ts';
import { usageOf } from './process-usage.ts';
import { quantile } from './spread.ts';
import type { Member } from './team.ts';
import type { Span, Work } from './work.ts';

/** Each connection asks again as soon as it has its answer. */
export function throughput(answer: AnswerName, title: string, version: Alpn, connections: number): Work {
  const { short, long } = VERSIONS[version];
  return {
    name: `${answer}-${short}-${connections}`,
    title: `${title}, ${long}, ${connections} connection${connections === 1 ? '' : 's'}`,
    measures: ['perSecond', 'cpuMs', 'p50Ms', 'p99Ms', 'loopDelayP99Ms', 'rssMiB'],
    async run(member, span) {
      const open = await openConnections(member, ASKS[answer].host, version, connections);
      try {
        return await askFor(
          member,
          ASKS[answer],
          span,
          open.map((connection) => [connection]),
        );
      } finally {
        for (const connection of open) connection.close();
      }
    },
  };
}

/** Whatever is still to be done. */
const MOST_SECONDS = 8;

/** Askers, each of whom asks on one connection of theirs after the other. */
export async function askFor(
  member: Member,
  ask: Ask,
  { seconds, requests }: Span,
  askers: readonly (readonly Connection[])[],
): Promise<Sample> {
  const asks = member.entrant.vary?.(ask) ?? [ask];
  const tookMs: number[] = [];
  let beganMs = 0;
  let endMs = 0;
  const isToGoOn = () => {
    const elapsed = (performance.now() - beganMs) / 1_000;
    return elapsed < seconds || (tookMs.length < requests && elapsed < MOST_SECONDS);
  };
  const usage = await usageOf(member, async () => {
    beganMs = performance.now();
    await Promise.all(
      askers.map(async (connections) => {
        for (let i = 0; isToGoOn(); i++) {
          const before = performance.now();
          await connections[i % connections.length]?.exchange(asks[tookMs.length % asks.length] ?? ask);
          endMs = performance.now();
          tookMs.push(endMs - before);
        }
      }),
    );
    return tookMs.length;
  });
  const perSecond = tookMs.length / ((endMs - beganMs) / 1_000);
  return { ...usage, perSecond, p50Ms: quantile(tookMs, 0.5), p99Ms: quantile(tookMs, 0.99) };
}

const AT_ONCE = 4;

/** New tunnels: CONNECT, TLS, one exchange, and away. */
export const TUNNELS: Work = {
  name: 'tunnels',
  title: `New tunnels with one exchange in each, ${AT_ONCE} at once`,
  measures: ['perSecond', 'cpuMs', 'p50Ms', 'p99Ms', 'loopDelayP99Ms', 'rssMiB'],
  run(member, span) {
    const once: Connection = {
      async exchange(ask, onData) {
        const connection = await openConnection(member, ask.host, 'http/1.1');
        await connection.exchange(ask, onData);
        connection.close();
      },
      close() {},
    };
    return askFor(
      member,
      ASKS.json,
      span,
      Array.from({ length: AT_ONCE }, () => [once]),
    );
  },
};

const CONNECTION_COUNTS = [1, 16, 64] as const;

export const THROUGHPUT: readonly Work[] = [
  ...CONNECTION_COUNTS.map((many) => throughput('json', '2 KB of JSON', 'http/1.1', many)),
  ...CONNECTION_COUNTS.map((many) => throughput('json', '2 KB of JSON', 'h2', many)),
  throughput('ghost', 'Completions of 20 chunks', 'http/1.1', 16),
  throughput('ghost', 'Completions of 20 chunks', 'h2', 16),
  throughput('long', '100 KB prompts, 50 KB answers', 'h2', 16),
  TUNNELS,
];
