import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { WebSocket } from 'ws';
import { TELL, told, toldNow } from '../exchange-telling.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { type ConversationPlan, converse, type Question } from '../fake-copilot-websocket.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { closing, config, messagesOf, openWebSocket } from '../websockets.ts';

const question = (text: string, more: object = {}) => ({
  type: 'response.create',
  model: 'gpt-5-codex',
  input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text }] }],
  initiator: 'user',
  ...more,
});
const result = {
  type: 'response.create',
  model: 'gpt-5-codex',
  previous_response_id: 'resp_fake',
  input: [{ type: 'function_call_output', call_id: 'call_0', output: 'x = 1' }],
  initiator: 'agent',
};
const CALL = { name: 'read_file', arguments: ['{"filePath"', ':"a.ts"}'] };

/** Calls a tool for a question with "file" in it, and says what it was asked otherwise. */
function planOf(asked: Question): ConversationPlan {
  const text = JSON.stringify(asked.input);
  const said = { pieces: ['You said ', `${text.length}`], nanoCredits: 500_000_000 };
  if (text.includes('file')) return { ...said, pieces: [], calls: [CALL] };
  if (text.includes('slow')) return { ...said, delayMs: 50, pieces: Array<string>(200).fill('x ') };
  if (text.includes('stuck')) return { ...said, stopAfter: 7 };
  return text.includes('bye') ? { ...said, stopAfter: 7, close: 1012 } : said;
}

interface Begun {
  readonly proxy: ProxyProcess;
  readonly fake: FakeCopilot;
  readonly client: WebSocket;
  readonly servers: readonly WebSocket[];
  /** Sends a frame, and waits for an event of that type. */
  ask(frame: object, until?: string): Promise<void>;
}

async function begin(t: { after(fn: () => unknown): void }, files: Record<string, string> = {}): Promise<Begun> {
  const fake = await startFakeCopilot();
  const servers = converse(fake, planOf);
  const addons = ['addons/auth.ts', ...Object.keys(files), 'addons/filter.ts', 'tell.ts'];
  const proxy = await ProxyProcess.start({
    upstream: fake,
    config: config('tell.ts', { addons }),
    files: { ...files, 'tell.ts': TELL },
  });
  t.after(() => Promise.all([proxy.stop(), fake.close()]));
  const client = await openWebSocket(proxy, '/responses', { perMessageDeflate: true });
  const received = messagesOf(client);
  const ask = async (frame: object, until = 'response.completed') => {
    const before = received.length;
    client.send(JSON.stringify(frame));
    const isThere = (text: string) => (JSON.parse(text) as { type: string }).type === until;
    await eventually(until, () => received.slice(before).some(isThere));
  };
  return { proxy, fake, client, servers, ask };
}

describe('a conversation on a WebSocket', () => {
  it('is an exchange for each question and step, counted once for each question', async (t) => {
    const { proxy, client, ask } = await begin(t);
    await ask(question('Which file?'));
    await ask(result);
    await ask(question('And why?'));
    const exchanges = await told(proxy, 3);
    client.close();
    assert.deepEqual(
      exchanges.map(({ counted, outcome, transport, user }) => [counted.as, outcome, transport, user]),
      [
        ['turn', 'complete', 'websocket', 'alice'],
        ['step', 'complete', 'websocket', 'alice'],
        ['turn', 'complete', 'websocket', 'alice'],
      ],
    );
    const [first, second, third] = exchanges;
    assert.deepEqual(first?.choices[0]?.toolCalls, [{ name: 'read_file', arguments: '{"filePath":"a.ts"}' }]);
    assert.match(third?.choices[0]?.text ?? '', /^You said \d+$/);
    assert.deepEqual([third?.prompt, third?.model, third?.credits], ['And why?', 'gpt-5-codex', 0.5]);
    assert.deepEqual(third?.tokens, { prompt: 120, completion: 30, cached: 100, reasoning: 8, estimated: false });
    assert.equal(third?.quota.premium_interactions?.entitlement, 300);
    assert.equal(second?.interaction, first?.interaction);
    assert.notEqual(third?.interaction, first?.interaction);
    assert.ok((third?.firstTokenMs ?? 0) > 0);
  });

  it('has a question that is called off by the next one, and one by hanging up', async (t) => {
    const { proxy, client, ask } = await begin(t);
    await ask(question('Be slow.'), 'response.output_text.delta');
    // The fake goes on with the first answer: what is said from now on is taken for the second's.
    await ask(question('Be stuck.'), 'response.output_text.delta');
    client.terminate();
    const [first, second] = await told(proxy, 2);
    assert.deepEqual([first?.outcome, first?.counted.as, first?.prompt], ['cancelled', 'turn', 'Be slow.']);
    assert.deepEqual([second?.outcome, second?.prompt], ['cancelled', 'Be stuck.']);
    assert.match(first?.choices[0]?.text ?? '', /^(x )+$/);
  });

  it('has an answer that the server breaks off by closing', async (t) => {
    const { proxy, client } = await begin(t);
    client.send(JSON.stringify(question('Say bye.')));
    assert.deepEqual(await closing(client), [1012, '']);
    const [exchange] = await told(proxy, 1);
    assert.deepEqual(
      [exchange?.outcome, exchange?.failure, exchange?.counted.as],
      ['failed', 'WEBSOCKET_CLOSED', 'nothing'],
    );
  });

  it('is what was passed on, where an addon edits or drops messages', async (t) => {
    const edit = `
      import { defineAddon } from 'insight-dump';
      export default defineAddon({
        websocketMessage(_flow, message) {
          if (message.from === 'client' && message.text.includes('secret')) message.drop();
          else if (message.from === 'client') message.text = message.text.replace('this', 'that');
          else message.text = message.text.replaceAll('You said', 'I heard');
        },
      });
    `;
    const { proxy, client, ask } = await begin(t, { 'edit.ts': edit });
    client.send(JSON.stringify(question('A secret.')));
    await ask(question('What is this?'));
    const exchanges = await told(proxy, 1);
    assert.equal(exchanges[0]?.prompt, 'What is that?');
    assert.match(exchanges[0]?.choices[0]?.text ?? '', /^I heard/);
    client.close();
    await closing(client);
    assert.equal(toldNow(proxy).length, 1);
  });

  it('goes on while exchange hooks take their time, and waits for none of them', async (t) => {
    const { proxy, ask } = await begin(t);
    proxy.write('logs/wait', '');
    await ask(question('one'));
    await ask(question('two'));
    assert.deepEqual(toldNow(proxy), []);
    proxy.remove('logs/wait');
    const prompts = (await told(proxy, 2)).map(({ prompt }) => prompt);
    assert.deepEqual(prompts, ['one', 'two']);
  });
});

describe('a WebSocket of responses that no addon has an exchange hook for', () => {
  it('passes byte by byte, compressed as both sides like', async (t) => {
    const fake = await startFakeCopilot();
    converse(fake, planOf);
    const idle = 'export function response() {}';
    const proxy = await ProxyProcess.start({ upstream: fake, config: config('idle.ts'), files: { 'idle.ts': idle } });
    t.after(() => Promise.all([proxy.stop(), fake.close()]));
    const client = await openWebSocket(proxy, '/responses', { perMessageDeflate: true });
    assert.match(client.extensions, /permessage-deflate/);
    client.terminate();
  });
});
