/** As many requests as go through. */
import type { AnswerName } from './answers.ts';
import { ASKS, type Ask } from './asks.ts';
import { type Connection, openConnection } from './connection.ts';
import type { Alpn, Entrant } from './contestant.ts';
import { quantile } from './spread.ts';
import { usageOf } from './usage.ts';
import type { Work } from './work.ts';

/** Connections, each of which asks again as soon as it has its answer. */
function throughput(name: string, title: string, answer: AnswerName, version: Alpn, connections: number): Work {
  return {
    name: `${name}-${version === 'h2' ? 'h2' : 'h1'}-${connections}`,
    title: `${title}, HTTP/${version === 'h2' ? '2' : '1.1'}, ${connections} connection${connections === 1 ? '' : 's'}`,
    measures: ['perSecond', 'cpuMs', 'p50Ms', 'p99Ms', 'loopDelayP99Ms', 'rssMiB'],
    async run(entrant, context) {
      const ask = ASKS[answer];
      const open = await openAll(entrant, ask.host, version, connections);
      let tookMs: number[] = [];
      let seconds = 0;
      const usage = await usageOf(entrant, context, async () => {
        const beganMs = performance.now();
        tookMs = await askOnAll(open, ask, context.seconds * 1_000);
        seconds = (performance.now() - beganMs) / 1_000;
        return tookMs.length;
      });
      for (const connection of open) connection.close();
      const [p50Ms, p99Ms] = [quantile(tookMs, 0.5), quantile(tookMs, 0.99)];
      return { ...usage, perSecond: tookMs.length / seconds, p50Ms, p99Ms };
    },
  };
}

function openAll(entrant: Entrant, host: string, version: Alpn, connections: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: connections }, () => openConnection(entrant, host, version)));
}

/** How long each exchange took, in ms. */
async function askOnAll(connections: readonly Connection[], ask: Ask, forMs: number): Promise<number[]> {
  const tookMs: number[] = [];
  const end = performance.now() + forMs;
  await Promise.all(
    connections.map(async (connection) => {
      for (let now = performance.now(); now < end; ) {
        await connection.exchange(ask);
        const after = performance.now();
        tookMs.push(after - now);
        now = after;
      }
    }),
  );
  return tookMs;
}

const JSON_TITLE = '2 KB of JSON';

export const THROUGHPUT: readonly Work[] = [
  ...([1, 16, 64] as const).map((connections) => throughput('json', JSON_TITLE, 'json', 'http/1.1', connections)),
  ...([1, 16, 64] as const).map((connections) => throughput('json', JSON_TITLE, 'json', 'h2', connections)),
  throughput('ghost', 'Completions of 20 chunks', 'ghost', 'http/1.1', 16),
  throughput('ghost', 'Completions of 20 chunks', 'ghost', 'h2', 16),
  throughput('long', '100 KB prompts, 50 KB answers', 'long', 'h2', 16),
];
