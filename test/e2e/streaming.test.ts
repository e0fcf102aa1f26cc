import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { ask, openSession, openTunnel } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import type { ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setStage } from '../stage.ts';

/** 20 events of text, 50 ms apart, with all that can go wrong in text. */
const PIECES = Array.from({ length: 20 }, (_, i) => `${i}:  "a\\b" 你好 👩‍💻\\n `);
const EVENT_PAUSE_MS = 50;
/** A chunk may come so much later than it was sent. */
const LAG_LIMIT_MS = 50;

const CHAT = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1.96.2' };

describe('a streamed answer', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  setStage(
    {},
    () => ({ pieces: PIECES, delayMs: EVENT_PAUSE_MS }),
    (stage) => {
      ({ fake, proxy } = stage);
    },
  );

  it('reaches an h2 client event by event as it is sent, with all addons on, and is recorded to the byte', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    // The first connection to the upstream is not what this is about.
    fake.plan = () => ({});
    await ask(session, CHAT, chatRequest('warm up'));
    fake.plan = () => ({ pieces: PIECES, delayMs: EVENT_PAUSE_MS });
    const stream = session.request(CHAT);
    stream.end(chatRequest('stream'));
    const arrivals = await arrivalsOf(stream);
    session.close();
    const sent = fake.requests.at(-1)?.sentAt ?? [];
    assert.ok(arrivals.length >= PIECES.length, `${arrivals.length} chunks`);
    assert.ok(
      (arrivals[0] as number) - (sent[0] as number) <= LAG_LIMIT_MS,
      `first event came ${arrivals[0]} - ${sent[0]}`,
    );
    // Far from its end, so nothing waited for the whole.
    assert.ok((arrivals[0] as number) < (sent.at(-1) as number) - 10 * EVENT_PAUSE_MS);
    const records = await proxy.recorded(2);
    assert.equal(records.at(-1)?.insight.choices[0]?.text, PIECES.join(''));
  });

  it('does not wait for acknowledgements when the request’s body comes after its head', async () => {
    fake.plan = () => ({});
    const session = await openSession(proxy, 'alice', API_HOST);
    const times: number[] = [];
    for (let i = 0; i < 31; i++) {
      const began = performance.now();
      // Over h2 they are two writes, and leave as two for the upstream.
      await ask(session, CHAT, chatRequest('two parts'));
      times.push(performance.now() - began);
    }
    session.close();
    // Nagle's algorithm against delayed acknowledgement costs 40 ms each time, but for the first few. A machine that has
    // much else to do takes as long now and then.
    const [, , , , quick] = times.slice(10).sort((one, other) => one - other) as [
      number,
      number,
      number,
      number,
      number,
    ];
    assert.ok(quick < 30, `${times.map(Math.round)} ms`);
    fake.plan = () => ({ pieces: PIECES, delayMs: EVENT_PAUSE_MS });
  });

  it('reaches an h1 client event by event', async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    const body = chatRequest('stream');
    const head = `POST /chat/completions HTTP/1.1\r\nHost: ${API_HOST}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
    socket.write(head + body);
    const [first] = (await once(socket, 'data')) as [Buffer];
    const arrived = Date.now();
    assert.match(first.toString(), /^HTTP\/1\.1 200 OK\r\n/);
    const sent = fake.requests.at(-1)?.sentAt ?? [];
    assert.ok(arrived - (sent[0] as number) <= LAG_LIMIT_MS);
    socket.destroy();
  });
});

describe('an upstream that breaks off in the middle of a body', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  setStage(
    {},
    () => ({ breakAfter: 3, delayMs: 20 }),
    (stage) => {
      ({ fake, proxy } = stage);
    },
  );

  it('breaks the body of an h1 client too', async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    socket.on('error', () => {});
    const body = chatRequest('break');
    socket.write(
      `POST /chat/completions HTTP/1.1\r\nHost: ${API_HOST}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    await once(socket, 'close');
    assert.match(text, /^HTTP\/1\.1 200 OK/);
    assert.match(text, /transfer-encoding: chunked/i);
    assert.doesNotMatch(text, /\r\n0\r\n\r\n$/);
  });

  it('resets the stream of an h2 client, and leaves its connection alive', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const stream = session.request(CHAT);
    stream.end(chatRequest('break'));
    stream.resume();
    const [error] = (await once(stream, 'error')) as [Error & { code: string }];
    assert.equal(error.code, 'ERR_HTTP2_STREAM_ERROR');
    fake.plan = () => ({});
    assert.equal((await ask(session, CHAT, chatRequest('whole'))).status, 200);
    session.close();
  });

  it('is not recorded as an answer', async () => {
    const records = await proxy.recorded(3);
    const answered = records.filter(({ insight }) => insight.counted.as !== 'nothing');
    assert.equal(answered.length, 1);
    assert.match(JSON.stringify(answered), /whole/);
    const broken = records.filter(({ insight }) => insight.counted.as === 'nothing');
    assert.deepEqual(
      broken.map(({ insight, request, response }) => [insight.outcome, request.content, response.content]),
      Array(2).fill(['failed', undefined, undefined]),
    );
  });
});

async function arrivalsOf(stream: NodeJS.ReadableStream): Promise<number[]> {
  const arrivals: number[] = [];
  stream.on('data', () => arrivals.push(Date.now()));
  await once(stream, 'end');
  return arrivals;
}
