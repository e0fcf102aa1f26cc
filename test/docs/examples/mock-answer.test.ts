import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import OpenAI from 'openai';
import { type AddonTest, makeFlow } from '../../kit.ts';
import { CHAT, COMPLETIONS, startExample } from '../example.ts';

const TEXT = 'Hello,  "world"\n\n\t你好 👩‍💻 C:\\temp ';
const messages = [{ role: 'user' as const, content: '"stream": true' }];

/** OpenAI's own client, which asks the example instead of a server. */
function clientOf(example: AddonTest): OpenAI {
  const fetch = async (url: unknown, init?: RequestInit) => {
    const method = init?.method ?? 'GET';
    const { sent, received } = await example.run(
      makeFlow({ url: String(url), method, body: String(init?.body ?? '') }),
    );
    assert.equal(sent, undefined, 'the upstream was asked');
    return new Response(received?.body, {
      status: received?.status ?? 502,
      headers: [...(received?.headers ?? [])] as [string, string][],
    });
  };
  return new OpenAI({ baseURL: 'https://api.githubcopilot.com', apiKey: 'none', maxRetries: 0, fetch });
}

describe('mock-answer', () => {
  for (const text of [TEXT, 'one', '', ' \n ']) {
    it(`streams ${JSON.stringify(text)} to a chat that asks for a stream`, async (t) => {
      const client = clientOf(await startExample(t, 'mock-answer', { text }));
      let content = '';
      const ends: unknown[] = [];
      for await (const { choices } of await client.chat.completions.create({ model: 'any', messages, stream: true })) {
        content += choices[0]?.delta.content ?? '';
        ends.push(choices[0]?.finish_reason);
      }
      assert.equal(content, text);
      assert.deepEqual(ends.filter(Boolean), ['stop']);
    });
  }

  it('answers a chat that asks for no stream as a whole', async (t) => {
    const client = clientOf(await startExample(t, 'mock-answer', { text: TEXT }));
    const { choices } = await client.chat.completions.create({ model: 'any', messages });
    assert.deepEqual(choices[0], { index: 0, message: { role: 'assistant', content: TEXT }, finish_reason: 'stop' });
  });

  it('lists the model that you name', async (t) => {
    const client = clientOf(await startExample(t, 'mock-answer', { model: 'dummy-1' }));
    assert.deepEqual((await client.models.list()).data, [{ id: 'dummy-1', object: 'model' }]);
  });

  it('answers with the model that you name', async (t) => {
    const client = clientOf(await startExample(t, 'mock-answer', { model: 'dummy-1' }));
    assert.equal((await client.chat.completions.create({ model: 'any', messages })).model, 'dummy-1');
  });

  it('sends several events, each with a piece', async (t) => {
    const example = await startExample(t, 'mock-answer', { text: 'a b c' });
    const { received } = await example.run(makeFlow({ url: CHAT, body: '{"stream":true}' }));
    assert.equal(received?.headers.get('content-type'), 'text/event-stream');
    assert.equal(received?.body.match(/^data: .*\n\n/gm)?.length, 5);
  });

  it('is read like a real answer, but not counted', async (t) => {
    const example = await startExample(t, 'mock-answer', { text: TEXT });
    const flow = makeFlow({ url: CHAT, body: '{"stream":true}' });
    const { exchange } = await example.run(flow);
    assert.deepEqual(exchange?.choices, [{ index: 0, text: TEXT, finishReason: 'stop', toolCalls: [] }]);
    assert.deepEqual(exchange?.counted, { as: 'nothing', reason: 'the answer is a mock' });
  });

  it('holds a chat back, so that nothing of it leaves', async (t) => {
    const example = await startExample(t, 'mock-answer');
    const flow = makeFlow({ url: CHAT, body: '{}' });
    await example.run(flow);
    assert.equal(flow.request.wantsBuffer, true);
  });

  it('answers what is no JSON as a whole', async (t) => {
    const example = await startExample(t, 'mock-answer', { text: TEXT });
    const { received } = await example.run(makeFlow({ url: CHAT, body: 'stream=true' }));
    assert.equal(JSON.parse(received?.body ?? '').choices[0].message.content, TEXT);
  });

  it('goes by the path, whatever is asked with it', async (t) => {
    const example = await startExample(t, 'mock-answer');
    const { sent } = await example.run(makeFlow({ url: 'https://api.githubcopilot.com/models?v=2' }));
    assert.equal(sent, undefined);
  });

  for (const [what, parts] of [
    ['ghost text', { url: COMPLETIONS, body: '{"stream":true}' }],
    ['another path', { url: 'https://api.githubcopilot.com/models/x' }],
    ['another method', { url: CHAT, method: 'GET' }],
  ] as const) {
    it(`leaves ${what} to the upstream`, async (t) => {
      const example = await startExample(t, 'mock-answer');
      const flow = makeFlow({ ...parts, response: { body: 'theirs' } });
      const { received } = await example.run(flow);
      assert.deepEqual([received?.body, flow.metadata.uncounted], ['theirs', undefined]);
    });
  }
});
