import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import OpenAI from 'openai';
import { fetch } from 'undici';
import { curl, proxyAgent } from '../clients.ts';
import { SAMPLE_PIECES } from '../fake-copilot.ts';
import type { ProxyProcess } from '../proxy-process.ts';
import { API_HOST, COMPLETIONS_PATH, chatRequest, completionRequest, PROXY_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

const TEXT = SAMPLE_PIECES.join('');

describe('clients', () => {
  let proxy: ProxyProcess;
  // With the CA that users get.
  setStage({ isFirst: true }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  it('curl is served over h1 and h2, alone and by two users at once', async () => {
    const runs = (['--http1.1', '--http2'] as const).flatMap((protocol) =>
      (['alice', 'bob'] as const).map((user) =>
        curl(
          proxy,
          user,
          protocol,
          `https://${PROXY_HOST}${COMPLETIONS_PATH}`,
          '-d',
          completionRequest(`${user} ${protocol}`),
        ),
      ),
    );
    for (const { code, stdout } of await Promise.all(runs)) {
      assert.equal(code, 0);
      assert.match(stdout, /\[DONE\]/);
    }
    for (const { insight, request } of await proxy.recorded(4)) {
      assert.match(JSON.stringify(request.content), new RegExp(`"${insight.user} --http`));
    }
  });

  for (const h2 of [false, true]) {
    it(`undici is served over ${h2 ? 'h2' : 'h1'}`, async () => {
      const dispatcher = proxyAgent(proxy, 'alice', { h2 });
      const count = proxy.records().size;
      const response = await fetch(`https://${API_HOST}/chat/completions`, {
        method: 'POST',
        body: chatRequest('hi'),
        dispatcher,
      });
      assert.equal(response.status, 200);
      assert.match(await response.text(), /\[DONE\]/);
      await proxy.recorded(count + 1);
      await dispatcher.close();
    });
  }

  it('the openai package gets the text of a chat, streamed and not', async () => {
    const dispatcher = proxyAgent(proxy, 'bob');
    const openai = new OpenAI({
      baseURL: `https://${API_HOST}`,
      apiKey: 'tid=fake',
      fetch: ((url: string, init: object) => fetch(url, { ...init, dispatcher })) as never,
    });
    const count = proxy.records().size;
    const messages = [{ role: 'user' as const, content: 'hi' }];
    const stream = await openai.chat.completions.create({ model: 'gpt-4.1', messages, stream: true });
    let text = '';
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
    assert.equal(text, TEXT);
    const whole = await openai.chat.completions.create({ model: 'gpt-4.1', messages });
    assert.equal(whole.choices[0]?.message.content, TEXT);
    const records = await proxy.recorded(count + 2);
    for (const { insight } of records.slice(-2)) assert.equal(insight.choices[0]?.text, TEXT);
    await dispatcher.close();
  });
});
