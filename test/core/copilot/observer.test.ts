import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Addon, CopilotExchange } from '../../../core/addon.ts';
import { copilotObservers } from '../../../core/copilot/observer.ts';
import { HttpResponse } from '../../../core/flow.ts';
import { Headers } from '../../../core/headers.ts';
import { CHAT, delta, events } from '../../exchanges.ts';
import { makeHost } from '../../host-kit.ts';
import { type FlowParts, makeFlow } from '../../kit.ts';

const HEAD = { status: 200, statusText: '', httpVersion: '1.1' } as const;
const ANSWER = Buffer.from(events(delta('hi', 'stop')));

async function looking(addon: Addon, parts: FlowParts = {}) {
  const { host, use, log } = makeHost();
  await use(addon);
  const faults: unknown[] = [];
  const observers = copilotObservers((error) => faults.push(error));
  const flow = makeFlow({ url: CHAT, method: 'POST', ...parts });
  const observer = observers.observe(flow, host.pin());
  return { observer, observers, flow, faults, host, log };
}

function answer(flow: { response: HttpResponse | undefined }): HttpResponse {
  flow.response = new HttpResponse({ ...HEAD, headers: new Headers([]) }, 0);
  return flow.response;
}

describe('an observer', () => {
  const idle = { name: 'idle', response() {} };
  const upgrade = { upgrade: 'WebSocket', connection: 'Upgrade' };
  for (const [what, addon, parts, looks] of [
    ['a chat that an addon has a hook for', { name: 'a', exchange() {} }, {}, true],
    ['a chat that no addon has a hook for', idle, {}, false],
    ['what is no use of Copilot', { name: 'a', exchange() {} }, { url: 'https://api.githubcopilot.com/models' }, false],
    ['embeddings', { name: 'a', exchange() {} }, { url: 'https://api.githubcopilot.com/embeddings' }, false],
    ['a preflight', { name: 'a', exchange() {} }, { method: 'OPTIONS' }, false],
    [
      'a WebSocket of responses',
      { name: 'a', exchange() {} },
      { url: 'https://api.githubcopilot.com/responses', method: 'GET', headers: upgrade },
      true,
    ],
    ['a WebSocket of something else', { name: 'a', exchange() {} }, { method: 'GET', headers: upgrade }, false],
    [
      'a WebSocket that no addon has a hook for',
      idle,
      { url: 'https://api.githubcopilot.com/responses', method: 'GET', headers: upgrade },
      false,
    ],
  ] as const)
    it(`looks at ${looks ? '' : 'nothing of '}${what}`, async () => {
      assert.equal((await looking(addon, parts)).observer !== undefined, looks);
    });

  it('wants to read a WebSocket only for who asks for exchanges', async () => {
    const asked = await looking({ name: 'a', exchange() {} });
    assert.equal(asked.observers.readsWebSocket('/responses?x=1', asked.host.pin()), true);
    assert.equal(asked.observers.readsWebSocket('/chat/completions', asked.host.pin()), false);
    const notAsked = await looking(idle);
    assert.equal(notAsked.observers.readsWebSocket('/responses', notAsked.host.pin()), false);
  });

  it('tells each addon of it once, in order', async () => {
    const told: string[] = [];
    const { host, use } = makeHost();
    const addonOf = (name: string): Addon => ({
      name,
      exchange: (exchange) => {
        told.push(`${name} ${exchange.choices[0]?.text} ${exchange.counted.as}`);
        exchange.count('nothing', name);
      },
    });
    await use(addonOf('a'), addonOf('b'));
    const flow = makeFlow({ url: CHAT, method: 'POST' });
    const observer = copilotObservers(() => {}).observe(flow, host.pin());
    const response = answer(flow);
    observer?.answered();
    response.body.push(ANSWER);
    await observer?.ended();
    assert.deepEqual(told, ['a hi turn', 'b hi nothing']);
  });

  it('tells nobody of a flow without an answer', async () => {
    const told: CopilotExchange[] = [];
    const { observer } = await looking({ name: 'a', exchange: (exchange) => void told.push(exchange) });
    await observer?.ended();
    assert.deepEqual(told, []);
  });

  it('that fails says so, and is asked no more', async () => {
    const told: CopilotExchange[] = [];
    const { observer, flow, faults } = await looking({ name: 'a', exchange: (exchange) => void told.push(exchange) });
    Object.defineProperty(flow, 'response', {
      get() {
        throw new Error('oh no');
      },
    });
    observer?.answered();
    observer?.message({ from: 'client', isText: true, text: '', content: Buffer.alloc(0), drop() {} });
    await observer?.ended();
    assert.deepEqual(
      faults.map((fault) => (fault as Error).message),
      ['oh no'],
    );
    assert.deepEqual(told, []);
  });

  it('says what goes wrong at the end', async () => {
    const { observer, flow, faults } = await looking({ name: 'a', exchange() {} });
    answer(flow);
    observer?.answered();
    Object.defineProperty(flow.request, 'path', {
      get() {
        throw new Error('oh no');
      },
    });
    await observer?.ended();
    assert.equal(faults.length, 1);
  });
});
