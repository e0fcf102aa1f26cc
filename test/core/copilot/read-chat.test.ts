import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AGENTS, answered, CHAT, COMPLETIONS, delta, events, text } from '../../exchanges.ts';

const USAGE = {
  prompt_tokens: 120,
  completion_tokens: 30,
  total_tokens: 150,
  prompt_tokens_details: { cached_tokens: 100 },
  completion_tokens_details: { reasoning_tokens: 8, accepted_prediction_tokens: 0, rejected_prediction_tokens: 0 },
};
const TOKENS = { prompt: 120, completion: 30, cached: 100, reasoning: 8, estimated: false };
const usage = { choices: [], usage: USAGE };
const credits = { choices: [], copilot_usage: { total_nano_aiu: 1_750_000_000, token_details: [] } };
const call = (index: number | undefined, id: string | undefined, name: string | undefined, args: string) =>
  delta(null, null, { tool_calls: [{ index, id, type: 'function', function: { name, arguments: args } }] });

describe('an answer of chat completions', () => {
  for (const [what, stream, tokens, expectedCredits] of [
    ['with the usage in a chunk of its own', [delta('hi', 'stop'), usage, '[DONE]'], TOKENS, undefined],
    ['with usage and credits in one chunk', [delta('hi', 'stop'), { ...usage, ...credits }], TOKENS, 1.75],
    ['with usage and credits apart', [delta('hi', 'stop'), usage, credits, '[DONE]'], TOKENS, 1.75],
    ['with credits before the usage', [delta('hi'), credits, delta(null, 'stop'), usage], TOKENS, 1.75],
    ['that costs nothing', [delta('hi', 'stop'), usage, { copilot_usage: { total_nano_aiu: 0 } }], TOKENS, 0],
    [
      'with a usage that says nothing, at first',
      [{ ...delta('hi'), usage: null }, { choices: null, usage: {} }, usage],
      TOKENS,
      undefined,
    ],
  ] as const)
    it(`has its tokens and credits ${what}`, async () => {
      const exchange = await answered(CHAT, events(...stream));
      assert.deepEqual(exchange.tokens, tokens);
      assert.equal(exchange.credits, expectedCredits);
      assert.equal(exchange.choices[0]?.text, 'hi');
    });

  it('is passed over where it has events or fields that nobody knows', async () => {
    const odd = [
      { choices: null, copilot_references: [{ type: 'github.repository' }] },
      { choices: null, copilot_errors: [{ code: 'x' }], copilot_confirmation: {} },
      { object: 'some.new.thing', payload: [1, 2, 3] },
      { choices: [{ index: 0, delta: { reasoning_text: 'hm', new_field: {} }, copilot_annotations: {} }] },
    ];
    const exchange = await answered(
      CHAT,
      events(odd[0] as object, delta('hi'), ...odd.slice(1), delta(' you', 'stop')),
    );
    assert.equal(exchange.choices[0]?.text, 'hi you');
    assert.equal(exchange.outcome, 'complete');
    assert.deepEqual((exchange.response as unknown[])[4], odd[3]);
  });

  for (const [what, pieces, calls] of [
    [
      'by their index',
      [
        call(0, 'a', 'one', '{"x'),
        call(1, 'b', 'two', '{'),
        call(0, undefined, undefined, '": 1}'),
        call(1, undefined, '', '}'),
      ],
      [
        { name: 'one', arguments: '{"x": 1}' },
        { name: 'two', arguments: '{}' },
      ],
    ],
    [
      'by their id, where all have the same index',
      [
        call(0, 'a', 'one', '{'),
        call(0, 'a', undefined, '}'),
        call(0, 'b', 'two', '['),
        call(0, undefined, undefined, ']'),
      ],
      [
        { name: 'one', arguments: '{}' },
        { name: 'two', arguments: '[]' },
      ],
    ],
    [
      'without any',
      [call(undefined, undefined, 'one', '{'), call(undefined, undefined, undefined, '}')],
      [{ name: 'one', arguments: '{}' }],
    ],
  ] as const)
    it(`has its tool calls, told apart ${what}`, async () => {
      const exchange = await answered(CHAT, events(...pieces, delta(null, 'tool_calls')));
      assert.deepEqual(exchange.choices[0]?.toolCalls, calls);
      assert.equal(exchange.choices[0]?.finishReason, 'tool_calls');
    });

  it('has the tool calls, refusal and model of a whole', async () => {
    const message = {
      content: null,
      refusal: 'no',
      tool_calls: [1, 2].map((n) => ({ id: `c${n}`, function: { name: `f${n}`, arguments: `[${n}]` } })),
    };
    const exchange = await answered(CHAT, {
      model: 'gpt-4.1-2025-04-14',
      ...credits,
      choices: [{ index: 0, message, finish_reason: 'tool_calls' }],
    });
    assert.deepEqual(exchange.choices[0], {
      index: 0,
      text: 'no',
      finishReason: 'tool_calls',
      toolCalls: [
        { name: 'f1', arguments: '[1]' },
        { name: 'f2', arguments: '[2]' },
      ],
    });
    assert.equal(exchange.answeredBy, 'gpt-4.1-2025-04-14');
    assert.equal(exchange.credits, 1.75);
  });

  for (const [what, body, status, failure] of [
    ['in the stream', events(delta('hi'), { error: { code: 'overloaded', message: 'x' } }), 200, 'overloaded'],
    ['as a whole', '{"error": {"message": "no", "code": "model_not_supported"}}', 400, 'model_not_supported'],
    ['with a number for its code', '{"error": {"code": 429, "message": "slow down"}}', 429, '429'],
    ['with a text only', '{"error": {"message": "quota exceeded"}}', 402, 'quota exceeded'],
    ['as a page', '<html>', 502, '502'],
    ['without a body', '', 503, '503'],
  ] as const)
    it(`has failed with an error ${what}`, async () => {
      const exchange = await answered(CHAT, body, { response: { status } });
      assert.deepEqual([exchange.outcome, exchange.failure, exchange.counted.as], ['failed', failure, 'nothing']);
    });

  it('is the same for extensions', async () => {
    const exchange = await answered(AGENTS, events({ choices: null, copilot_references: [] }, delta('hi', 'stop')));
    assert.deepEqual([exchange.endpoint, exchange.choices[0]?.text], ['agents', 'hi']);
  });
});

describe('ghost text', () => {
  it('has ten choices that come in turns', async () => {
    const pieces = ['a', 'b', 'c'].flatMap((piece) => Array.from({ length: 10 }, (_, i) => text(i, `${i}${piece}`)));
    const { choices } = await answered(COMPLETIONS, events(...pieces));
    assert.deepEqual(
      choices.map((choice) => choice.text),
      Array.from({ length: 10 }, (_, i) => `${i}a${i}b${i}c`),
    );
  });

  it('takes no more choices than anybody asks for', async () => {
    const pieces = Array.from({ length: 1_000 }, (_, i) => text(i * 7, 'x'));
    assert.equal((await answered(COMPLETIONS, events(...pieces))).choices.length, 128);
  });
});
