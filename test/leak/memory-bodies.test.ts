import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { ask, openSession, openTunnel } from '../clients.ts';
import { leadingTo, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { mib, rssBytes, watchRss } from '../process-stats.ts';
import { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { configOf } from '../tagging.ts';

/** HTTP/2 is what editors speak; over HTTP/1.1, less shows the same. */
const BODY_BYTES = { h1: 512 * 1024 ** 2, h2: 2 * 1024 ** 3 } as const;
/** Enough for the proxy to have its code compiled, and far too little to fill any buffer. */
const WARM_UP_BYTES = 1024 ** 2;
const PIECE = Buffer.alloc(256 * 1024);
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

type Direction = 'download' | 'upload';

describe('a large body through an addon with a response hook', () => {
  let upstream: OwnUpstream;
  let proxy: ProxyProcess;

  before(async () => {
    upstream = await startOwnUpstream(async (request, response) => {
      if (request.method === 'GET') await writeZeros(response, Number(request.headers['x-bytes']));
      else response.end(String(await countBytes(request)));
    });
    const { args, files } = leadingTo(upstream);
    proxy = await ProxyProcess.start({ args, config: configOf(`'note.ts'`), files: { ...files, 'note.ts': NOTE } });
    for (const direction of ['download', 'upload'] as const) {
      await transferOverHttp1(direction, WARM_UP_BYTES);
      await transferOverHttp2(direction, WARM_UP_BYTES);
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
        const bytes = await (version === 'h1' ? transferOverHttp1 : transferOverHttp2)(direction, wanted);
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

  /** Sends or fetches a body; returns how many bytes have come to its receiver. */
  async function transferOverHttp1(direction: Direction, bytes: number): Promise<number> {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    const headers = { host: API_HOST, 'x-bytes': bytes };
    const method = direction === 'download' ? 'GET' : 'POST';
    const request = http.request({ createConnection: () => socket, method, headers });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    const count = await through(
      direction,
      request,
      answered.then(([response]) => response),
      bytes,
    );
    socket.destroy();
    return count;
  }

  /** The same over HTTP/2. */
  async function transferOverHttp2(direction: Direction, bytes: number): Promise<number> {
    const session = await openSession(proxy, 'alice', API_HOST);
    const method = direction === 'download' ? 'GET' : 'POST';
    const stream = session.request({ ':method': method, 'x-bytes': bytes }, { endStream: direction === 'download' });
    const answered = once(stream, 'response').then(() => stream);
    const count = await through(direction, stream, answered, bytes);
    session.close();
    return count;
  }

  async function seen() {
    const session = await openSession(proxy, 'alice', API_HOST);
    const { body } = await ask(session, { ':path': '/seen' });
    session.close();
    return JSON.parse(body) as Record<'request' | 'response', typeof NONE>;
  }
});

async function through(
  direction: Direction,
  request: Writable,
  answered: Promise<Readable>,
  bytes: number,
): Promise<number> {
  if (direction === 'download') {
    if (!request.writableEnded) request.end();
    return countBytes(await answered);
  }
  await writeZeros(request, bytes);
  return Number(await buffer(await answered));
}

/** Writes so many zeros at the pace of their reader, and ends. */
async function writeZeros(sink: Writable, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= PIECE.length) {
    if (!sink.write(PIECE.subarray(0, left))) await once(sink, 'drain');
  }
  sink.end();
}

async function countBytes(source: Readable): Promise<number> {
  let bytes = 0;
  source.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  await once(source, 'end');
  return bytes;
}
