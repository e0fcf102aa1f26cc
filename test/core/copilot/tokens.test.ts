import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answered, CHAT, COMPLETIONS, delta, events, MESSAGES, RESPONSES, text } from '../../exchanges.ts';

const of = async (url: string, body: object, answer = '{}') =>
  (await answered(url, answer, { body: JSON.stringify(body) })).tokens;
const NONE = { cached: 0, reasoning: 0, estimated: true };

describe('tokens that the server does not tell', () => {
  it('are taken from what the editor says of ghost text', async () => {
    const body = { prompt: 'x'.repeat(400), suffix: 'y', extra: { prompt_tokens: 210, suffix_tokens: 12 } };
    assert.deepEqual(await of(COMPLETIONS, body, events(text(0, 'x'.repeat(9)), text(1, 'y'))), {
      ...NONE,
      prompt: 222,
      completion: 3,
    });
  });

  for (const [what, url, body, prompt] of [
    ['a prompt and what follows it', COMPLETIONS, { prompt: 'x'.repeat(30), suffix: 'y'.repeat(10) }, 10],
    ['a chat', CHAT, { messages: [{ role: 'user', content: 'x'.repeat(36) }] }, 10],
    ['a question over responses', RESPONSES, { input: 'x'.repeat(36) }, 10],
    [
      'messages, with what they are introduced by',
      MESSAGES,
      { system: 'x'.repeat(20), messages: [{ content: 'y'.repeat(20) }] },
      10,
    ],
    ['a body that says nothing', CHAT, {}, 0],
  ] as const)
    it(`are estimated by the characters of ${what}`, async () =>
      assert.deepEqual(await of(url, body), { ...NONE, prompt, completion: 0 }));

  it('are none for images and files', async () => {
    const data = 'A'.repeat(1_000_000);
    const content = [
      { type: 'text', text: 'What is it?' },
      { type: 'image_url', image_url: { url: `data:image/png;base64,${data}` } },
      { type: 'image', source: { type: 'base64', data } },
      { type: 'input_file', file_data: data },
    ];
    assert.ok((await of(CHAT, { messages: [{ role: 'user', content }] })).prompt < 10);
  });

  it('are estimated for tool calls, too', async () => {
    const call = { index: 0, function: { name: 'f', arguments: 'x'.repeat(40) } };
    assert.equal((await of(CHAT, {}, events(delta(null, 'tool_calls', { tool_calls: [call] })))).completion, 10);
  });

  it('are marked as an estimate when only some of them are told', async () => {
    const tokens = await of(CHAT, {}, '{"choices": [], "usage": {"prompt_tokens": 7}}');
    assert.deepEqual(tokens, { ...NONE, prompt: 7, completion: 0 });
  });
});
