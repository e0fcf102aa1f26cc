import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CopilotExchange, WebSocketClose } from '../../../core/addon.ts';
import { Conversation } from '../../../core/copilot/conversation.ts';
import { WholeMessage } from '../../../core/websocket-message.ts';
import { lastEventOf, QUOTA_SNAPSHOTS, responseEvents, type Said } from '../../fake-copilot-responses.ts';
import { makeHost } from '../../host-kit.ts';
import { switched } from '../../kit/test-flow.ts';
import { makeFlow } from '../../kit.ts';

const SAID: Said = { pieces: ['one ', 'two'], nanoCredits: 2_000_000_000 };
const LAST = responseEvents(SAID).at(-1) as object;
const CLOSED: WebSocketClose = { by: 'client', code: 1000, reason: '' };
const question = (text: string, more: object = {}) => ({
  type: 'response.create',
  model: 'gpt-5-codex',
  input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text }] }],
  initiator: 'user',
  ...more,
});
const step = {
  type: 'response.create',
  previous_response_id: 'resp_fake',
  input: [{ type: 'function_call_output', call_id: 'call_0', output: 'x' }],
  initiator: 'agent',
};

/** A WebSocket that opens with these headers, and what is told of it. */
async function open(headers: Record<string, string> = {}) {
  const { host, use, log } = makeHost();
  const exchanges: CopilotExchange[] = [];
  await use({ name: 'taker', exchange: (exchange) => void exchanges.push(exchange) });
  const flow = makeFlow({ url: 'https://api.githubcopilot.com/responses', headers });
  flow.response = switched();
  const conversation = new Conversation(flow, host.pin(), { endpoint: 'responses', kind: 'chat' });
  const say = (from: 'client' | 'server', ...messages: readonly (object | string)[]) => {
    for (const message of messages) {
      const text = typeof message === 'string' ? message : JSON.stringify(message);
      conversation.message(new WholeMessage(from, true, Buffer.from(text)));
    }
  };
  /** Closes it; what it was. */
  const close = async (how: WebSocketClose = CLOSED) => {
    await conversation.closed(how);
    return exchanges;
  };
  return { conversation, say, close, flow, log };
}

describe('a conversation on a WebSocket', () => {
  it('has an exchange for each question, with all that is said to it', async () => {
    const { say, close, flow } = await open({ authorization: 'Bearer x', 'copilot-integration-id': 'vscode-chat' });
    say('client', question('What is new?'));
    say('server', ...responseEvents(SAID));
    say('client', question('And else?'));
    say('server', ...responseEvents({ pieces: ['three'] }));
    const [first, second, ...more] = await close();
    assert.deepEqual([first?.id, second?.id, more], [`${flow.id}-1`, `${flow.id}-2`, []]);
    assert.deepEqual(
      [first, second].map((each) => [each?.prompt, each?.choices[0]?.text, each?.counted.as, each?.outcome]),
      [
        ['What is new?', 'one two', 'turn', 'complete'],
        ['And else?', 'three', 'turn', 'complete'],
      ],
    );
    const { tokens, credits, model, answeredBy, transport, status, endpoint } = first as CopilotExchange;
    assert.deepEqual(tokens, { prompt: 120, completion: 30, cached: 100, reasoning: 8, estimated: false });
    assert.deepEqual([credits, model, answeredBy, transport], [2, 'gpt-5-codex', 'gpt-5-codex', 'websocket']);
    assert.deepEqual([status, endpoint], [200, 'responses']);
    assert.deepEqual(first?.request, question('What is new?'));
    assert.deepEqual(first?.response, responseEvents(SAID));
    assert.ok(first?.firstTokenMs !== undefined && first.endMs >= first.startMs + first.firstTokenMs);
  });

  it('has the steps of a question in its interaction, and the next question in another', async () => {
    const { say, close } = await open();
    for (const asked of [question('one'), step, step, question('two'), step]) {
      say('client', asked);
      say('server', ...responseEvents({ pieces: [], calls: [{ name: 'f', arguments: ['{}'] }] }));
    }
    const exchanges = await close();
    assert.deepEqual(
      exchanges.map(({ counted }) => counted.as),
      ['turn', 'step', 'step', 'turn', 'step'],
    );
    const [one, , three, four, five] = exchanges.map(({ interaction }) => interaction);
    assert.equal(one, three);
    assert.equal(four, five);
    assert.notEqual(one, four);
  });

  it('takes the interaction of the headers for the first question', async () => {
    const { say, close } = await open({ 'x-interaction-id': 'i-1', 'x-initiator': 'user' });
    say('client', question('one'), step, question('two'));
    const exchanges = await close();
    assert.deepEqual(
      exchanges.map(({ interaction }) => interaction === 'i-1'),
      [true, true, false],
    );
  });

  it('goes by the frame, and by what is in it, whatever the header says of who asks', async () => {
    const { say, close } = await open({ 'x-initiator': 'agent' });
    say('client', question('one'));
    say('server', ...responseEvents(SAID));
    say('client', { ...step, initiator: undefined });
    say('server', ...responseEvents(SAID));
    say('client', question('suggest', { tool_choice: { type: 'function', name: 'suggest' } }));
    say('server', ...responseEvents(SAID));
    assert.deepEqual(
      (await close()).map(({ counted }) => counted.as),
      ['turn', 'step', 'background'],
    );
  });

  it('reads a question that stands in the frame’s response', async () => {
    const { say, close } = await open();
    const { type, initiator, ...response } = question('nested');
    say('client', { type, initiator, response });
    say('server', ...responseEvents(SAID));
    const [exchange] = await close();
    assert.deepEqual([exchange?.prompt, exchange?.counted.as, exchange?.model], ['nested', 'turn', 'gpt-5-codex']);
  });

  const code = 'previous_response_not_found';
  for (const [what, from, last, closed, outcome, failure] of [
    ['the client asks anew', 'client', [question('again')], CLOSED, 'cancelled', undefined],
    ['the client closes', 'client', [], CLOSED, 'cancelled', undefined],
    ['the server closes', 'server', [], { by: 'server', code: 1012, reason: '' }, 'failed', 'WEBSOCKET_CLOSED'],
    ['the proxy stops', 'server', [], { by: 'proxy', code: 1001, reason: '' }, 'failed', 'WEBSOCKET_CLOSED'],
    ['the server calls it off', 'server', [lastEventOf(SAID, 'cancelled')], CLOSED, 'cancelled', undefined],
    ['the server says an error', 'server', [{ type: 'error', error: { code } }], CLOSED, 'failed', code],
  ] as const)
    it(`has an exchange that is ${outcome} when ${what} in the middle of an answer`, async () => {
      const { say, close } = await open();
      say('client', question('one'));
      say('server', ...responseEvents(SAID).slice(0, -3));
      say(from, ...last);
      const [exchange] = await close(closed);
      assert.deepEqual(
        [exchange?.outcome, exchange?.failure, exchange?.choices[0]?.text],
        [outcome, failure, 'one two'],
      );
    });

  it('is complete once its last event is here, whoever closes then', async () => {
    const { say, close } = await open();
    say('client', question('one'));
    say('server', ...responseEvents(SAID));
    const exchanges = await close({ by: 'server', code: 1006, reason: '' });
    assert.deepEqual(
      exchanges.map(({ outcome }) => outcome),
      ['complete'],
    );
  });

  it('has the quotas that the last event tells', async () => {
    const { say, close } = await open();
    say('client', question('one'));
    say('server', { ...LAST, copilot_quota_snapshots: QUOTA_SNAPSHOTS });
    const [exchange] = await close();
    assert.equal(exchange?.quota.premium_interactions?.percentRemaining, 87.5);
  });

  it('passes over what is no question and what nobody asked for', async () => {
    const { conversation, say, close } = await open();
    say('server', ...responseEvents(SAID));
    say('client', 'x', '[]', '{"type": "response.cancel"}', '{"type": "session.update"}', '['.repeat(100_000));
    conversation.message(new WholeMessage('client', false, Buffer.from(JSON.stringify(question('binary')))));
    assert.deepEqual(await close(), []);
  });

  it('keeps to a bound what is asked and answered, and reads on', async () => {
    const { say, close } = await open();
    say('client', question('x'.repeat(9 * 1024 * 1024)));
    const delta = { type: 'response.output_text.delta', delta: 'y'.repeat(1024 * 1024) };
    say('server', ...Array<object>(10).fill(delta), LAST);
    const [exchange] = await close();
    assert.deepEqual([exchange?.truncated, exchange?.request, exchange?.counted.as], [true, undefined, 'turn']);
    assert.deepEqual([exchange?.tokens.completion, exchange?.credits], [30, 2]);
    const { response } = exchange as CopilotExchange;
    assert.equal((response as unknown[]).length, 7);
    assert.equal(exchange?.choices[0]?.text.length, 8 * 1024 * 1024);
  });
});
