import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { fetch } from 'undici';
import { proxyAgent } from '../clients.ts';
import { SAMPLE_PIECES } from '../fake-copilot.ts';
import type { ProxyProcess, UsageRecord } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

const TEXT = SAMPLE_PIECES.join('');
const CALL = { name: 'read_file', arguments: '{"filePath":"a.ts"}' };
const MODEL = 'gpt-5-codex';

describe('what packages ask', () => {
  let proxy: ProxyProcess;
  setStage(
    { args: ['--set', 'usage.otherContent=true'] },
    (seen) => {
      // What is asked with tools is answered by a call of one.
      const withTools = seen.body.includes('"tools"');
      return withTools ? { calls: [{ name: CALL.name, arguments: ['{"filePath"', ':"a.ts"}'] }] } : {};
    },
    (stage) => {
      ({ proxy } = stage);
    },
  );

  /** Gives a package a fetch that goes through the proxy; resolves with what is recorded of its one request. */
  async function recordOf(ask: (through: typeof globalThis.fetch) => Promise<void>): Promise<UsageRecord> {
    const dispatcher = proxyAgent(proxy, 'alice');
    const before = new Set(proxy.records().keys());
    await ask(((url: string, init: object) => fetch(url, { ...init, dispatcher })) as never);
    await proxy.recorded(before.size + 1);
    await dispatcher.close();
    const fresh = [...proxy.records()].filter(([file]) => !before.has(file));
    assert.equal(fresh.length, 1);
    return (fresh[0] as [string, UsageRecord])[1];
  }

  const openai = (through: typeof globalThis.fetch) =>
    new OpenAI({ baseURL: `https://${API_HOST}`, apiKey: 'tid=fake', fetch: through });
  const anthropic = (through: typeof globalThis.fetch) =>
    new Anthropic({ baseURL: `https://${API_HOST}`, apiKey: 'tid=fake', fetch: through });

  const messages = [{ role: 'user' as const, content: 'What is  new?' }];
  const chatTokens = { prompt: 20, completion: 12, cached: 0, reasoning: 0, estimated: false };

  it('is recorded of a chat, streamed', async () => {
    const { insight } = await recordOf(async (through) => {
      let text = '';
      const stream = await openai(through).chat.completions.create({ model: 'gpt-4.1', messages, stream: true });
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
      assert.equal(text, TEXT);
    });
    assert.deepEqual(insight.choices, [{ index: 0, text: TEXT, finishReason: 'stop', toolCalls: [] }]);
    assert.deepEqual([insight.tokens, insight.counted.as, insight.outcome], [chatTokens, 'turn', 'complete']);
    assert.equal(insight.prompt, 'What is  new?');
    assert.ok((insight.firstTokenMs ?? 0) > 0);
  });

  it('is recorded of a chat, as a whole', async () => {
    const { insight } = await recordOf(async (through) => {
      const { choices } = await openai(through).chat.completions.create({ model: 'gpt-4.1', messages });
      assert.equal(choices[0]?.message.content, TEXT);
    });
    assert.deepEqual(insight.choices, [{ index: 0, text: TEXT, finishReason: 'stop', toolCalls: [] }]);
    assert.deepEqual([insight.tokens, insight.model], [chatTokens, 'gpt-4.1']);
  });

  const tools = [{ type: 'function' as const, name: CALL.name, parameters: { type: 'object' }, strict: false }];
  const responseTokens = { prompt: 120, completion: 30, cached: 100, reasoning: 8, estimated: false };

  it('is recorded of responses, streamed, with a call of a tool', async () => {
    const { insight } = await recordOf(async (through) => {
      const stream = openai(through).responses.stream({ model: MODEL, input: 'What is  new?', tools });
      let text = '';
      for await (const event of stream) if (event.type === 'response.output_text.delta') text += event.delta;
      assert.equal(text, TEXT);
      assert.equal((await stream.finalResponse()).output.at(-1)?.type, 'function_call');
    });
    assert.deepEqual(insight.choices, [{ index: 0, text: TEXT, finishReason: 'completed', toolCalls: [CALL] }]);
    assert.deepEqual([insight.tokens, insight.credits], [responseTokens, 1.75]);
    assert.deepEqual([insight.endpoint, insight.model, insight.answeredBy], ['responses', MODEL, MODEL]);
    assert.deepEqual([insight.prompt, insight.counted.as], ['What is  new?', 'turn']);
  });

  it('is recorded of responses, as a whole, with the result of a tool', async () => {
    const input = [{ type: 'function_call_output' as const, call_id: 'call_0', output: 'x' }];
    const { insight } = await recordOf(async (through) => {
      const response = await openai(through).responses.create({
        model: MODEL,
        input,
        previous_response_id: 'resp_fake',
      });
      assert.equal(response.output_text, TEXT);
    });
    assert.deepEqual(insight.choices, [{ index: 0, text: TEXT, finishReason: 'completed', toolCalls: [] }]);
    assert.deepEqual([insight.tokens, insight.credits, insight.counted.as], [responseTokens, 1.75, 'step']);
  });

  const messageTokens = { prompt: 100, completion: 25, cached: 70, reasoning: 0, estimated: false };
  const asked = { model: 'claude-sonnet-4.5', max_tokens: 1_024, messages };

  it('is recorded of messages, streamed, with a call of a tool', async () => {
    const input_schema = { type: 'object' as const };
    const { insight } = await recordOf(async (through) => {
      const stream = anthropic(through).messages.stream({ ...asked, tools: [{ name: CALL.name, input_schema }] });
      const message = await stream.finalMessage();
      assert.deepEqual(message.content.at(-1)?.type, 'tool_use');
      assert.equal(await stream.finalText(), TEXT);
    });
    assert.deepEqual(insight.choices, [{ index: 0, text: TEXT, finishReason: 'tool_use', toolCalls: [CALL] }]);
    assert.deepEqual([insight.tokens, insight.credits, insight.counted.as], [messageTokens, 1.75, 'turn']);
    assert.deepEqual([insight.endpoint, insight.answeredBy], ['messages', 'claude-sonnet-4.5']);
  });

  it('is recorded of messages, as a whole', async () => {
    const { insight } = await recordOf(async (through) => {
      const { content } = await anthropic(through).messages.create(asked);
      assert.deepEqual(content.at(-1), { type: 'text', text: TEXT });
    });
    assert.deepEqual(insight.choices, [{ index: 0, text: TEXT, finishReason: 'end_turn', toolCalls: [] }]);
    assert.deepEqual([insight.tokens, insight.credits, insight.outcome], [messageTokens, 1.75, 'complete']);
  });
});
