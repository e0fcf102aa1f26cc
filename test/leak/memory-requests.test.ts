import assert from 'node:assert/strict';
import type http2 from 'node:http2';
import { after, before, describe, it } from 'node:test';
import { ask, openSession } from '../clients.ts';
import { leadingTo, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { mib, rssBytes } from '../process-stats.ts';
import { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { configOf } from '../tagging.ts';
import { HEAP_ADDON } from './heap-addon.ts';

const REQUESTS = 100_000;
/** By then, all caches are as warm as they get. */
const WARM_AFTER = REQUESTS / 10;
/** On a slow machine, as many as fit in this. */
const TIME_LIMIT_MS = 30_000;
/** Fewer would show nothing. */
const MIN_REQUESTS = 2 * WARM_AFTER;
const SESSIONS = 4;
const AT_ONCE_PER_SESSION = 16;
const HEAP_SLACK_BYTES = 8 * 1024 ** 2;

/** Reads both bodies of each exchange, as an addon that counts would. */
const READ = `
  export function response(flow, ctx) { flow.metadata.read = flow.request.body.text() + flow.response.body.text(); }
`;

describe(`${REQUESTS} requests`, () => {
  let upstream: OwnUpstream;
  let proxy: ProxyProcess;
  let sessions: http2.ClientHttp2Session[];

  before(async () => {
    upstream = await startOwnUpstream((request, response) => {
      request.resume().once('end', () => response.end('an answer'));
    });
    const { args, files } = leadingTo(upstream);
    proxy = await ProxyProcess.start({
      args,
      config: configOf(`'read.ts', 'heap.ts'`),
      files: { ...files, 'read.ts': READ, 'heap.ts': HEAP_ADDON },
    });
    sessions = await Promise.all(Array.from({ length: SESSIONS }, () => openSession(proxy, 'alice', API_HOST)));
  });
  after(async () => {
    for (const session of sessions ?? []) session.close();
    await proxy?.stop();
    await upstream?.close();
  });

  /** Sends requests until there were so many, or the time is over; returns how many there were. */
  async function send(from: number, to: number, endMs: number): Promise<number> {
    let sent = from;
    const sending = async (session: http2.ClientHttp2Session) => {
      while (sent < to && performance.now() < endMs) {
        sent += 1;
        const { status, body } = await ask(session, { ':method': 'POST', ':path': '/x' }, 'a question');
        assert.deepEqual([status, body], [200, 'an answer']);
      }
    };
    await Promise.all(
      sessions.flatMap((session) => Array.from({ length: AT_ONCE_PER_SESSION }, () => sending(session))),
    );
    return sent;
  }

  const usedBytes = async () => {
    const [session] = sessions as [http2.ClientHttp2Session];
    // What has ended on the last turn is let go of on the next.
    await ask(session, { ':path': '/heap' });
    return (JSON.parse((await ask(session, { ':path': '/heap' })).body) as NodeJS.MemoryUsage).heapUsed;
  };

  it('leave the heap flat', async (t) => {
    const began = performance.now();
    const warm = await send(0, WARM_AFTER, Number.POSITIVE_INFINITY);
    const warmBytes = await usedBytes();
    const sent = await send(warm, REQUESTS, began + TIME_LIMIT_MS);
    const tookMs = performance.now() - began;
    const grownBytes = (await usedBytes()) - warmBytes;
    t.diagnostic(
      `${sent} requests in ${Math.round(tookMs / 1_000)} s, ${Math.round((sent / tookMs) * 1_000)} a second`,
    );
    t.diagnostic(`heap ${mib(warmBytes)} after ${warm}, grown by ${mib(grownBytes)}; RSS ${mib(rssBytes(proxy.pid))}`);
    assert.ok(sent >= MIN_REQUESTS, `only ${sent}`);
    assert.ok(grownBytes < HEAP_SLACK_BYTES, `grown by ${mib(grownBytes)}`);
  });
});
