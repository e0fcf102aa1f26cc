import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSession, openTunnel } from '../clients.ts';
import { leadingTo, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { mib, openFiles, watchRss } from '../process-stats.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';

const SESSIONS = 9;
const STREAMS_PER_SESSION = 100;
const HTTP1_STREAMS = 100;
const STREAMS = SESSIONS * STREAMS_PER_SESSION + HTTP1_STREAMS;
const EVENTS = 20;
const EVENT_PAUSE_MS = 100;
/** A thousand connections to the upstream take so many handshakes. */
const OPEN_LIMIT_MS = 40_000;
const RSS_LIMIT_BYTES = 300 * 1024 ** 2;

const CHAT = { 'content-type': 'application/json', 'editor-version': 'vscode/1.96.2' };
const QUESTION = chatRequest('stream');
const eventOf = (i: number) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { role: 'assistant', content: `${i} ` } }] })}\n\n`;
const DONE = 'data: [DONE]\n\n';
const ALL_EVENTS = `${Array.from({ length: EVENTS }, (_, i) => eventOf(i)).join('')}${DONE}`;

describe(`${STREAMS} streamed answers at once, with all shipped addons`, () => {
  /** Answers that have begun, and wait for their events. */
  const open: ServerResponse[] = [];
  let upstream: OwnUpstream;
  let proxy: ProxyProcess;

  before(async () => {
    upstream = await startOwnUpstream((request, response) => {
      request.resume().once('end', () => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(eventOf(0));
        open.push(response);
      });
    });
    proxy = await ProxyProcess.start(leadingTo(upstream));
  });
  after(async () => {
    await proxy?.stop();
    await upstream?.close();
  });

  it(`all get all events, and are recorded, within ${mib(RSS_LIMIT_BYTES)}`, async (t) => {
    const rss = watchRss(proxy.pid);
    const beganOpening = performance.now();
    const answers = await openAll();
    const progress = () => `${STREAMS} streams; there are ${open.length}`;
    await eventually(progress, () => open.length === STREAMS, OPEN_LIMIT_MS);
    const openedMs = performance.now() - beganOpening;
    const files = openFiles(proxy.pid).length;

    for (let i = 1; i < EVENTS; i++) {
      await sleep(EVENT_PAUSE_MS);
      for (const response of open) response.write(eventOf(i));
    }
    for (const response of open) response.end(DONE);
    const texts = await Promise.all(answers);
    assert.deepEqual([...new Set(texts)], [ALL_EVENTS]);
    assert.equal(texts.length, STREAMS);
    await eventually('a record of each', () => proxy.metricsNow()?.total_chat_turns === STREAMS);
    const mostBytes = rss.stop();
    t.diagnostic(`opened in ${Math.round(openedMs)} ms; ${files} files were open; RSS up to ${mib(mostBytes)}`);
    assert.ok(mostBytes < RSS_LIMIT_BYTES, mib(mostBytes));
  });

  /** Asks for all streams. Each promise is for the whole text of one. */
  async function openAll(): Promise<Promise<string>[]> {
    const answers: Promise<string>[] = [];
    for (let i = 0; i < SESSIONS; i++) {
      const session = await openSession(proxy, 'alice', API_HOST);
      for (let j = 0; j < STREAMS_PER_SESSION; j++) {
        const stream = session.request({ ...CHAT, ':method': 'POST', ':path': '/chat/completions' });
        stream.end(QUESTION);
        answers.push(text(stream));
      }
      void Promise.allSettled(answers).then(() => session.close());
    }
    for (let i = 0; i < HTTP1_STREAMS; i++) {
      const socket = await openTunnel(proxy, 'alice', API_HOST);
      const headers = { ...CHAT, host: API_HOST };
      const request = http.request({
        createConnection: () => socket,
        method: 'POST',
        path: '/chat/completions',
        headers,
      });
      request.end(QUESTION);
      answers.push(textOf(request).finally(() => socket.destroy()));
    }
    return answers;
  }
});

async function textOf(request: http.ClientRequest): Promise<string> {
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return text(response as Readable);
}
