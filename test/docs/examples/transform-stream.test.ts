import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type AddonTest, makeFlow } from '../../kit.ts';
import { CHAT, startExample } from '../example.ts';

const READ = { 'x-interaction-type': 'conversation-panel', 'accept-encoding': 'gzip, br' };
const NOTE = ' (Prüf es! 👀 "\\$&)';

const event = (choices: object[]) => `data: ${JSON.stringify({ id: 'x', choices })}\n\n`;
const delta = (content: string | null, finish_reason: string | null = null, index = 0) =>
  event([{ index, delta: { content, role: 'assistant' }, finish_reason }]);

const START = `: comment\n\n${delta('Grüße, 你好 👩‍💻')}${delta('"stop"')}${delta('stop')}`;
const END = 'data: {"choices":[],"usage":{"total_tokens":1}}\n\ndata: [DONE]\n\n';
const STREAM = START + delta(null, 'stop') + END;
const NOTED = START + delta(NOTE, 'stop') + END;

describe('transform-stream', () => {
  const run = async (example: AddonTest, body: string | Uint8Array | readonly Uint8Array[], headers: object = {}) => {
    const response = { headers: { 'content-type': 'text/event-stream' }, body };
    const { received } = await example.run(
      makeFlow({ url: CHAT, method: 'POST', headers: { ...READ, ...headers }, response }),
    );
    return received?.body;
  };

  it('adds the note to the end of an answer', async (t) => {
    const example = await startExample(t, 'transform-stream', { note: NOTE });
    const flow = makeFlow({ url: CHAT, method: 'POST', headers: READ, response: { body: STREAM } });
    const { exchange } = await example.run(flow);
    const text = `Grüße, 你好 👩‍💻"stop"stop${NOTE}`;
    assert.deepEqual(exchange?.choices, [{ index: 0, text, finishReason: 'stop', toolCalls: [] }]);
  });

  it('leaves everything before and after it as it is', async (t) => {
    const example = await startExample(t, 'transform-stream', { note: NOTE });
    assert.equal(await run(example, STREAM), NOTED);
  });

  for (const [what, stream, noted] of [
    ['with Unix’ lines', STREAM, NOTED],
    ['with Windows’ lines', STREAM.replaceAll('\n', '\r\n'), NOTED.replaceAll('\n', '\r\n')],
    ['with lines of old', STREAM.replaceAll('\n', '\r'), NOTED.replaceAll('\n', '\r')],
    ['with a byte order mark', `\ufeff${STREAM}`, `\ufeff${NOTED}`],
    ['without a last line break', START + delta('', 'stop').trimEnd(), START + delta(NOTE, 'stop').trimEnd()],
  ] as const) {
    it(`does so wherever a stream ${what} is cut in two`, async (t) => {
      const example = await startExample(t, 'transform-stream', { note: NOTE });
      const bytes = Buffer.from(stream);
      for (let at = 0; at <= bytes.length; at++) {
        assert.equal(await run(example, [bytes.subarray(0, at), bytes.subarray(at)]), noted, `cut at ${at}`);
      }
    });

    it(`does so when a stream ${what} comes byte by byte`, async (t) => {
      const example = await startExample(t, 'transform-stream', { note: NOTE });
      const bytes = Array.from(Buffer.from(stream), (byte) => Uint8Array.of(byte));
      assert.equal(await run(example, bytes), noted);
    });
  }

  for (const [what, end] of [
    ['Unix’', '\n'],
    ['Windows’', '\r\n'],
    ['old', '\r'],
  ] as const) {
    it(`passes each line on as soon as it is there, with ${what} line ends`, async (t) => {
      const example = await startExample(t, 'transform-stream', { note: NOTE });
      const flow = makeFlow({ url: CHAT, method: 'POST', headers: READ });
      await example.run(flow);
      const [transform] = flow.response?.transforms ?? [];
      const chunks = ['da', `ta: 1${end}`, `${end}da`, `ta: 2${end}${end}`];
      const passed = chunks.map((chunk) => transform?.(Buffer.from(chunk), false));
      assert.deepEqual(passed, ['', `data: 1${end}`, end, `data: 2${end}${end}`]);
    });
  }

  it('adds the note to each of several answers', async (t) => {
    const example = await startExample(t, 'transform-stream', { note: '!' });
    const body = delta('a') + delta('b', null, 1) + delta(null, 'stop', 1) + delta('c', 'stop');
    assert.equal(
      await run(example, body),
      delta('a') + delta('b', null, 1) + delta('!', 'stop', 1) + delta('c!', 'stop'),
    );
  });

  for (const [what, body] of [
    ['that ends to call a tool', START + delta(null, 'tool_calls') + END],
    ['that is cut', START],
    ['that is empty', ''],
    ['whose events are not what they should be', 'data: "stop"\n\ndata: {"stop"}\n\ndata: {"choices":"stop"}\n\n'],
    ['without a delta', 'data: {"choices":[{"finish_reason":"stop"}]}\n\n'],
    ['that is no stream', '{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}'],
  ] as const) {
    it(`leaves an answer ${what} as it is`, async (t) => {
      const example = await startExample(t, 'transform-stream');
      assert.equal(await run(example, body), body);
    });
  }

  for (const interaction of ['conversation-other', 'git-commit', '']) {
    it(`leaves a chat for "${interaction}" as it is`, async (t) => {
      const example = await startExample(t, 'transform-stream');
      assert.equal(await run(example, STREAM, { 'x-interaction-type': interaction }), STREAM);
    });
  }

  it('leaves other paths as they are', async (t) => {
    const example = await startExample(t, 'transform-stream');
    const url = 'https://api.githubcopilot.com/responses';
    const { sent, received } = await example.run(makeFlow({ url, headers: READ, response: { body: STREAM } }));
    assert.deepEqual([sent?.headers.get('accept-encoding'), received?.body], ['gzip, br', STREAM]);
  });

  it('asks for an answer that is not compressed', async (t) => {
    const example = await startExample(t, 'transform-stream');
    const { sent } = await example.run(makeFlow({ url: CHAT, method: 'POST', headers: READ }));
    assert.equal(sent?.headers.get('accept-encoding'), 'identity');
  });

  it('leaves an answer that is compressed all the same as it is', async (t) => {
    const example = await startExample(t, 'transform-stream');
    const body = gzipSync(STREAM);
    const response = { headers: { 'content-encoding': 'gzip' }, body };
    const { received } = await example.run(makeFlow({ url: CHAT, method: 'POST', headers: READ, response }));
    assert.deepEqual(received?.bytes, body);
  });
});
