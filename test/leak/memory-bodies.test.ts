import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ask, openSession, openTunnel } from '../clients.ts';
import { answerLargeBody, type Direction, transfer } from '../large-bodies.ts';
import { leadingTo, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { mib, rssBytes, watchRss } from '../process-stats.ts';
import { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { configOf } from '../tagging.ts';

/** HTTP/2 is what editors speak; over HTTP/1.1, less shows the same. */
const BODY_BYTES = { h1: 512 * 1024 ** 2, h2: 2 * 1024 ** 3 } as const;
/** Enough for the proxy to have its code compiled, and far too little to fill any buffer. */
const WARM_UP_BYTES = 1024 ** 2;
/** So much more may be resident than before: the first 8 MiB are kept for addons, and some is not collected yet. */
const RSS_SLACK_BYTES = 64 * 1024 ** 2;
/** What `core/body.ts` keeps of a body. */
const KEPT_BYTES = 8 * 1024 ** 2;

/** Notes what the `response` hook sees of both bodies, and answers `/seen` with it. */
const NOTE = `
  const told = ({ body }) => ({ size: body.size, truncated: body.truncated, kept: body.bytes().length });
  let seen;
  export function requestHeaders(flow) {
    if (flow.request.path === '/seen') flow.respond({ status: 200, body: JSON.stringify(seen) });
  }
  export function response(flow) {
    if (flow.request.path !== '/seen') seen = { request: told(flow.request), response: told(flow.response) };
  }
`;
const NONE = { size: 0, truncated: false, kept: 0 };

describe('a large body through an addon with a response hook', () => {
  let upstream: OwnUpstream;
  let proxy: ProxyProcess;

  before(async () => {
    upstream = await startOwnUpstream((request, response) => void answerLargeBody(request, response));
    const { args, files } = leadingTo(upstream);
    proxy = await ProxyProcess.start({ args, config: configOf(`'note.ts'`), files: { ...files, 'note.ts': NOTE } });
    for (const direction of ['download', 'upload'] as const) {
      await transferOver('h1', direction, WARM_UP_BYTES);
      await transferOver('h2', direction, WARM_UP_BYTES);
    }
  });
  after(async () => {
    await proxy?.stop();
    await upstream?.close();
  });

  for (const version of ['h2', 'h1'] as const) {
    for (const direction of ['download', 'upload'] as const) {
      const wanted = BODY_BYTES[version];
      it(`of ${mib(wanted)}, as an ${version} ${direction}, takes less than ${mib(RSS_SLACK_BYTES)}, and its size is told exactly`, async (t) => {
        const beforeBytes = rssBytes(proxy.pid);
        const rss = watchRss(proxy.pid);
        const began = performance.now();
        const bytes = await transferOver(version, direction, wanted);
        const tookMs = performance.now() - began;
        const grownBytes = rss.stop() - beforeBytes;
        t.diagnostic(`${mib((bytes / tookMs) * 1_000)}/s; RSS ${mib(beforeBytes)}, grown by up to ${mib(grownBytes)}`);
        assert.equal(bytes, wanted);
        assert.ok(grownBytes < RSS_SLACK_BYTES, `grown by ${mib(grownBytes)}`);
        const { request, response } = await seen();
        const large = { size: wanted, truncated: true, kept: KEPT_BYTES };
        if (direction === 'download') assert.deepEqual([request, response], [NONE, large]);
        else assert.deepEqual([request, response.truncated], [large, false]);
      });
    }
  }

  const transferOver = async (version: keyof typeof BODY_BYTES, direction: Direction, bytes: number) => {
    const socket = await openTunnel(proxy, 'alice', API_HOST, [version === 'h2' ? 'h2' : 'http/1.1']);
    return transfer(socket, direction, bytes);
  };

  async function seen() {
    const session = await openSession(proxy, 'alice', API_HOST);
    const { body } = await ask(session, { ':path': '/seen' });
    session.close();
    return JSON.parse(body) as Record<'request' | 'response', typeof NONE>;
  }
});
