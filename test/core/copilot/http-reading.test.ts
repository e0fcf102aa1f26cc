import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpReading } from '../../../core/copilot/http-reading.ts';
import { HttpResponse } from '../../../core/flow.ts';
import { Headers } from '../../../core/headers.ts';
import { answered, CHAT, delta, events, MESSAGES, RESPONSES } from '../../exchanges.ts';
import { messageEvents } from '../../fake-copilot-messages.ts';
import { responseEvents } from '../../fake-copilot-responses.ts';
import { makeFlow } from '../../kit.ts';

const ENDPOINTS = { [CHAT]: 'chat', [RESPONSES]: 'responses', [MESSAGES]: 'messages' } as const;

/** A flow whose answer passes, and who reads it. */
function passing(url: keyof typeof ENDPOINTS) {
  const flow = makeFlow({ url, method: 'POST' });
  const reading = new HttpReading(flow, { endpoint: ENDPOINTS[url], kind: 'chat' });
  reading.watchRequest();
  flow.request.body.push(Buffer.from('{"model": "m"}'));
  const response = new HttpResponse({ status: 200, statusText: '', headers: new Headers([]), httpVersion: '1.1' }, 0);
  flow.response = response;
  reading.watchResponse();
  return { flow, response, reading, push: (event: object) => response.body.push(Buffer.from(events(event))) };
}

const callStart = { index: 0, id: 'c', function: { name: 'f', arguments: '' } };
const SAID = { pieces: [], calls: [{ name: 'f', arguments: ['{}'] }] };

describe('the time to the first token', () => {
  for (const [what, url, before, first] of [
    [
      'the first text of a chat',
      CHAT,
      [delta('', null, { role: 'assistant' }), { choices: [], usage: {} }],
      delta('hi'),
    ],
    [
      'the first tool call of a chat',
      CHAT,
      [delta(null, null, { reasoning_text: 'hm' })],
      delta(null, null, { tool_calls: [callStart] }),
    ],
    [
      'the first text of responses',
      RESPONSES,
      responseEvents({ pieces: ['hi'] }).slice(0, 7),
      { type: 'response.output_text.delta', delta: 'hi' },
    ],
    [
      'the first tool call of responses',
      RESPONSES,
      responseEvents(SAID).slice(0, 5),
      responseEvents(SAID)[5] as object,
    ],
    [
      'the first text of messages',
      MESSAGES,
      messageEvents({ pieces: ['hi'] }).slice(0, 7),
      { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'hi' } },
    ],
    ['the first tool call of messages', MESSAGES, messageEvents(SAID).slice(0, 6), messageEvents(SAID)[6] as object],
  ] as const)
    it(`is that of ${what}, not of what comes before`, async () => {
      const { flow, reading, push } = passing(url);
      const begun = flow.now();
      await sleep(30);
      for (const event of before) push(event);
      await sleep(30);
      const beforeMs = flow.now() - begun;
      push(first);
      const afterMs = flow.now() - flow.timings.start;
      await sleep(20);
      push(delta(' you'));
      const exchange = await reading.exchange();
      const { firstTokenMs } = exchange ?? assert.fail('no exchange');
      assert.ok(firstTokenMs !== undefined && firstTokenMs >= beforeMs && firstTokenMs <= afterMs, `${firstTokenMs}`);
    });

  it('is not known of an answer without any, and of one that did not pass', async () => {
    const { reading, push } = passing(CHAT);
    push(delta(null, 'stop'));
    const exchange = await reading.exchange();
    assert.deepEqual([exchange?.firstTokenMs, exchange?.tokensPerSecond], [undefined, undefined]);
    assert.equal((await answered(CHAT, events(delta('hi', 'stop')))).firstTokenMs, undefined);
  });
});

describe('what is read', () => {
  it('needs no copy of what passes', async () => {
    const { flow, reading, response, push } = passing(CHAT);
    flow.request.body.limitBytes = 0;
    push(delta('hi', 'stop'));
    assert.equal(response.body.bytes().length, 0);
    const exchange = await reading.exchange();
    assert.deepEqual([exchange?.choices[0]?.text, exchange?.model], ['hi', 'm']);
  });

  it('is the answer that took the place of another', async () => {
    const { flow, reading, push } = passing(CHAT);
    push(delta('theirs', 'stop'));
    flow.response = HttpResponse.from({ status: 200, body: events(delta('ours', 'stop')) });
    const exchange = await reading.exchange();
    assert.equal(exchange?.choices[0]?.text, 'ours');
  });

  it('is no request that looks like events', async () => {
    const request = events(delta('x', 'stop'));
    const exchange = await answered(CHAT, '{}', { body: request });
    assert.deepEqual([exchange.request, exchange.firstTokenMs, exchange.choices], [request, undefined, []]);
  });

  it('is the last word of an answer that is too long to be kept', async () => {
    const { reading, response, push } = passing(CHAT);
    const piece = Buffer.from(events(delta('x'.repeat(1_000))).repeat(64));
    for (let sent = 0; sent < 12 * 1024 * 1024; sent += piece.length) response.body.push(Buffer.from(piece));
    push({ choices: [], usage: { prompt_tokens: 1, completion_tokens: 2 }, copilot_usage: { total_nano_aiu: 5e8 } });
    push(delta(null, 'length'));
    const { truncated, tokens, credits, choices, ...rest } = (await reading.exchange()) ?? assert.fail();
    assert.deepEqual([truncated, tokens.completion, credits, choices[0]?.finishReason], [true, 2, 0.5, 'length']);
    assert.ok((choices[0]?.text.length ?? 0) <= 8 * 1024 * 1024);
    assert.ok(JSON.stringify(rest.response).length < 9 * 1024 * 1024);
  });

  it('is a request that is too large without what was asked', async () => {
    const body = JSON.stringify({ messages: [{ role: 'user', content: 'x'.repeat(9 * 1024 * 1024) }] });
    const exchange = await answered(CHAT, events(delta('hi', 'stop')), { body });
    assert.deepEqual([exchange.truncated, exchange.request, exchange.prompt], [true, undefined, '']);
  });
});
