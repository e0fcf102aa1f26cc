import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { makeFlow } from '../../kit.ts';
import { CHAT_TURN, capture } from '../../requests.ts';
import { CHAT, COMPLETIONS, startExample } from '../example.ts';

const MESSAGES = [{ role: 'user', content: '你好 "C:\\temp" 👩‍💻' }];

describe('rewrite-body', () => {
  it('sets the temperature of chats, and leaves all else as it is', async (t) => {
    const example = await startExample(t, 'rewrite-body', { temperature: 0.2 });
    const { body, headers } = capture(CHAT_TURN);
    const { sent } = await example.run(makeFlow({ url: CHAT, headers, body: JSON.stringify(body) }));
    assert.deepEqual(JSON.parse(sent?.body ?? ''), { ...(body as object), temperature: 0.2 });
  });

  it('sets the model of chats', async (t) => {
    const example = await startExample(t, 'rewrite-body', { model: 'gpt-4.1' });
    const body = JSON.stringify({ model: 'o9', messages: MESSAGES });
    const { sent } = await example.run(makeFlow({ url: CHAT, body }));
    assert.deepEqual(JSON.parse(sent?.body ?? ''), { model: 'gpt-4.1', messages: MESSAGES });
  });

  it('sends the right length', async (t) => {
    const example = await startExample(t, 'rewrite-body', { temperature: 0.25 });
    const body = JSON.stringify({ temperature: 1, messages: MESSAGES });
    const headers = { 'content-length': String(Buffer.byteLength(body)) };
    const { sent } = await example.run(makeFlow({ url: CHAT, headers, body }));
    assert.equal(sent?.headers.get('content-length'), String(sent?.bytes.length));
  });

  for (const [coding, compress] of [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ] as const) {
    it(`reads a body that is compressed by ${coding}, and sends it plain`, async (t) => {
      const example = await startExample(t, 'rewrite-body');
      const body = compress(JSON.stringify({ temperature: 1, messages: [] }));
      const { sent } = await example.run(makeFlow({ url: CHAT, headers: { 'content-encoding': coding }, body }));
      assert.deepEqual(
        [sent?.body, sent?.headers.get('content-encoding')],
        ['{"temperature":0,"messages":[]}', undefined],
      );
    });
  }

  const latin1 = Buffer.from('{"temperature":1,"messages":["café"]}', 'latin1');
  for (const [what, url, body] of [
    ['a chat that names no temperature', CHAT, '{ "messages": [] }'],
    ['what is no JSON', CHAT, 'temperature=1&messages=[]'],
    ['JSON that was cut', CHAT, '{"temperature":1,"messages":['],
    ['JSON that is no object', CHAT, 'null'],
    ['JSON without messages', CHAT, '{"temperature":1}'],
    ['JSON whose messages are no list', CHAT, '{"temperature":1,"messages":"x"}'],
    ['what is no UTF-8', CHAT, latin1],
    ['ghost text', COMPLETIONS, '{"temperature":1,"messages":[]}'],
    ['another path that looks like it', `${CHAT}-old`, '{"temperature":1,"messages":[]}'],
    ['compressed bytes that are none', CHAT, Buffer.from([0x1f, 0x8b, 0xff, 0x00])],
    ['an empty body', CHAT, ''],
  ] as const) {
    it(`leaves ${what} as it is, byte by byte`, async (t) => {
      const example = await startExample(t, 'rewrite-body');
      const { sent } = await example.run(
        makeFlow({ method: 'POST', url, headers: { 'content-encoding': 'gzip' }, body }),
      );
      assert.deepEqual([sent?.bytes, sent?.headers.get('content-encoding')], [Buffer.from(body), 'gzip']);
      assert.deepEqual(example.log.of('error'), []);
    });
  }

  it('knows a chat by its path, whatever is asked with it', async (t) => {
    const example = await startExample(t, 'rewrite-body');
    const { sent } = await example.run(makeFlow({ url: `${CHAT}?api=1`, body: '{"temperature":1,"messages":[]}' }));
    assert.equal(sent?.body, '{"temperature":0,"messages":[]}');
  });

  it('leaves requests of other methods as they are', async (t) => {
    const example = await startExample(t, 'rewrite-body');
    const body = '{"temperature":1,"messages":[]}';
    assert.equal((await example.run(makeFlow({ url: CHAT, method: 'PUT', body }))).sent?.body, body);
  });

  it('does not hold back what it cannot change', async (t) => {
    const example = await startExample(t, 'rewrite-body');
    const flow = makeFlow({ url: COMPLETIONS, body: '{}' });
    await example.run(flow);
    assert.equal(flow.request.wantsBuffer, false);
  });

  for (const options of [{ temperature: 3 }, { temperature: -1 }, { temperature: '1' }, { model: '' }]) {
    it(`refuses ${JSON.stringify(options)}`, async (t) => {
      await assert.rejects(startExample(t, 'rewrite-body', options), { code: 'optionsInvalid' });
    });
  }
});
