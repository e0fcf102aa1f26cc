import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answered, events, RESPONSES } from '../../exchanges.ts';
import { lastEventOf, QUOTA_SNAPSHOTS, responseEvents, responseOf, type Said } from '../../fake-copilot-responses.ts';

const SAID: Said = {
  pieces: ['one ', 'two'],
  model: 'gpt-5-codex',
  calls: [
    { name: 'read_file', arguments: ['{"filePath"', ': "a.ts"}'] },
    { name: 'list_dir', arguments: ['{}'] },
  ],
  nanoCredits: 1_750_000_000,
};
const CHOICE = {
  index: 0,
  text: 'one two',
  finishReason: 'completed',
  toolCalls: [
    { name: 'read_file', arguments: '{"filePath": "a.ts"}' },
    { name: 'list_dir', arguments: '{}' },
  ],
};
const TOKENS = { prompt: 120, completion: 30, cached: 100, reasoning: 8, estimated: false };

describe('an answer of responses', () => {
  const credited = { copilot_usage: { total_nano_aiu: 1_750_000_000 } };
  for (const [what, body] of [
    ['a stream', events(...responseEvents(SAID))],
    [
      'a stream with the charge in the response',
      events(...responseEvents(SAID, { ...lastEventOf({ ...SAID, nanoCredits: undefined }, 'completed', credited) })),
    ],
    ['a stream whose last event only says what is in it', events(lastEventOf(SAID))],
    ['a stream with the mark of the end', events(...responseEvents(SAID), '[DONE]')],
    ['a whole', JSON.stringify(responseOf(SAID, 'completed', credited))],
  ] as const)
    it(`has all it says as ${what}`, async () => {
      const exchange = await answered(RESPONSES, body);
      assert.deepEqual(exchange.choices, [CHOICE]);
      assert.deepEqual(exchange.tokens, TOKENS);
      assert.deepEqual([exchange.credits, exchange.answeredBy], [1.75, 'gpt-5-codex']);
      assert.deepEqual([exchange.outcome, exchange.kind], ['complete', 'chat']);
    });

  for (const [what, last, outcome, failure, finishReason] of [
    [
      'incomplete',
      lastEventOf(SAID, 'incomplete', { incomplete_details: { reason: 'max_output_tokens' } }),
      'complete',
      undefined,
      'max_output_tokens',
    ],
    [
      'failed',
      lastEventOf(SAID, 'failed', { error: { code: 'server_error', message: 'x' } }),
      'failed',
      'server_error',
      'failed',
    ],
    ['cancelled', lastEventOf(SAID, 'cancelled'), 'cancelled', undefined, 'cancelled'],
    [
      'an error',
      { type: 'error', code: 'rate_limit_exceeded', message: 'x' },
      'failed',
      'rate_limit_exceeded',
      undefined,
    ],
    [
      'an error in CAPI’s shape',
      { type: 'error', error: { code: 'quota', message: 'x' } },
      'failed',
      'quota',
      undefined,
    ],
    ['an error without words', { type: 'error' }, 'failed', 'error', undefined],
  ] as const)
    it(`is ${outcome} when its last event is ${what}`, async () => {
      const exchange = await answered(RESPONSES, events(...responseEvents(SAID, last)));
      assert.deepEqual([exchange.outcome, exchange.failure], [outcome, failure]);
      assert.equal(exchange.choices[0]?.finishReason, finishReason);
      assert.equal(exchange.choices[0]?.text, 'one two');
    });

  it('has failed with the error of a whole', async () => {
    const exchange = await answered(
      RESPONSES,
      { error: { code: 'unsupported_api', message: 'x' } },
      { response: { status: 400 } },
    );
    assert.equal(exchange.failure, 'unsupported_api');
  });

  it('has the input of a custom tool, also if it is cut', async () => {
    const item = { type: 'custom_tool_call', name: 'apply_patch', input: '' };
    const pieces = ['*** Begin', ' Patch'].map((piece) => ({
      type: 'response.custom_tool_call_input.delta',
      output_index: 0,
      delta: piece,
    }));
    const begun = { type: 'response.output_item.added', output_index: 0, item };
    const done = { type: 'response.output_item.done', output_index: 0, item: { ...item, input: '*** Begin Patch' } };
    for (const stream of [events(begun, ...pieces), events(begun, ...pieces, done)])
      assert.deepEqual((await answered(RESPONSES, stream)).choices[0]?.toolCalls, [
        { name: 'apply_patch', arguments: '*** Begin Patch' },
      ]);
  });

  it('passes over events that nobody knows, and keeps them', async () => {
    const odd = [{ type: 'response.some_new.delta', delta: 'x' }, { type: 5 }, { type: 'response.output_item.added' }];
    const exchange = await answered(RESPONSES, events(...odd, ...responseEvents(SAID)));
    assert.deepEqual(exchange.choices, [CHOICE]);
    assert.deepEqual((exchange.response as unknown[]).slice(0, 3), odd);
  });

  it('has the quotas of its last event', async () => {
    const last = { ...lastEventOf(SAID), copilot_quota_snapshots: QUOTA_SNAPSHOTS };
    const { quota } = await answered(RESPONSES, events(...responseEvents(SAID, last)));
    assert.deepEqual(
      { ...quota },
      {
        premium_interactions: {
          entitlement: 300,
          percentRemaining: 87.5,
          overage: 0,
          overagePermitted: false,
          resetsAt: '2026-12-01T00:00:00.000Z',
        },
      },
    );
  });
});
