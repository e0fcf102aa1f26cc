import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answered, events, MESSAGES } from '../../exchanges.ts';
import { MESSAGES_USAGE, messageEvents, messageOf } from '../../fake-copilot-messages.ts';
import type { Said } from '../../fake-copilot-responses.ts';

const SAID: Said = {
  pieces: ['one ', 'two'],
  calls: [
    { name: 'read_file', arguments: ['{"filePath":', '"a.ts"}'] },
    { name: 'list_dir', arguments: ['{}'] },
  ],
  nanoCredits: 250_000_000,
};
const stream = messageEvents(SAID);
const named = stream.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
const tokens = { prompt: 100, completion: 25, cached: 70, reasoning: 0, estimated: false };

describe('an answer of messages', () => {
  for (const [what, body] of [
    ['a stream', named],
    ['a stream with the mark of an end that is not Anthropic’s', `${named}data: [DONE]\n\n`],
    ['a stream whose last event is cut', named.slice(0, -10)],
    ['a whole', JSON.stringify(messageOf(SAID))],
  ] as const)
    it(`has all it says as ${what}`, async () => {
      const exchange = await answered(MESSAGES, body);
      assert.deepEqual(exchange.choices, [
        {
          index: 0,
          text: 'one two',
          finishReason: 'tool_use',
          toolCalls: [
            { name: 'read_file', arguments: '{"filePath":"a.ts"}' },
            { name: 'list_dir', arguments: '{}' },
          ],
        },
      ]);
      assert.deepEqual(exchange.tokens, tokens);
      assert.deepEqual([exchange.credits, exchange.answeredBy], [0.25, 'claude-sonnet-4.5']);
      assert.equal(exchange.outcome, 'complete');
    });

  for (const [what, usage] of [
    ['the output only', { output_tokens: 25 }],
    ['all of it once more', MESSAGES_USAGE],
    ['what is not of the cache once more', { input_tokens: 20, output_tokens: 25 }],
    ['nothing of the input', { input_tokens: 0, output_tokens: 25 }],
  ] as const)
    it(`has the whole prompt’s tokens when its last event says ${what}`, async () => {
      const body = events(...stream.map((event) => (event.type === 'message_delta' ? { ...event, usage } : event)));
      assert.deepEqual((await answered(MESSAGES, body)).tokens, tokens);
    });

  for (const [what, body, status, failure] of [
    [
      'in the stream',
      events(...stream.slice(0, 6), { type: 'error', error: { type: 'overloaded_error' } }),
      200,
      'overloaded_error',
    ],
    ['of Anthropic’s', '{"type": "error", "error": {"type": "invalid_request_error"}}', 400, 'invalid_request_error'],
    ['of Copilot’s', '{"error": {"message": "x", "code": "model_not_supported"}}', 400, 'model_not_supported'],
  ] as const)
    it(`has failed with an error ${what}`, async () => {
      const exchange = await answered(MESSAGES, body, { response: { status } });
      assert.deepEqual([exchange.outcome, exchange.failure], ['failed', failure]);
    });

  it('passes over what nobody knows', async () => {
    const odd = [
      { type: 'content_block_delta', index: 0, delta: { type: 'new_delta', x: 1 } },
      { type: 'new_event' },
      'x',
    ];
    const exchange = await answered(MESSAGES, events(...odd, ...stream));
    assert.equal(exchange.choices[0]?.text, 'one two');
  });
});
