import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import usage from '../../addons/usage.ts';
import { type AddonTest, type FlowParts, makeFlow, testAddon } from '../kit.ts';
import { makeFolder, type UsageRecord } from '../proxy-process.ts';

const CHAT = 'https://api.githubcopilot.com/chat/completions';
const ANSWER = 'data: {"choices":[{"index":0,"delta":{"content":"a  b"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
const GONE = { by: 'client', code: 'CLIENT_CLOSED', message: '' } as const;

describe('the usage recorder', () => {
  let logs: string;
  let recorder: AddonTest;
  beforeEach(async () => {
    logs = makeFolder();
    recorder = await testAddon(usage, { logs });
  });
  afterEach(async () => {
    await recorder.stop();
    rmSync(logs, { recursive: true });
  });

  const chat = (parts: FlowParts = {}) => makeFlow({ url: CHAT, body: '{}', response: { body: ANSWER }, ...parts });
  const files = () =>
    readdirSync(path.join(logs, 'usage'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.json'),
    );
  const only = () => JSON.parse(readFileSync(path.join(logs, 'usage', files()[0] as string), 'utf8')) as UsageRecord;

  it('writes nothing for what is not to be counted, or was cut before it was finished', async () => {
    const uncounted = chat();
    uncounted.metadata.uncounted = 'test';
    for (const flow of [
      uncounted,
      chat({ response: { body: 'data: {"choices":[]}\n\n' }, error: GONE }),
      chat({ error: { ...GONE, by: 'upstream' } }),
      chat({ url: 'https://api.githubcopilot.com/models' }),
    ]) {
      await recorder.run(flow);
    }
    assert.deepEqual(readdirSync(logs), []);
  });

  it('records what the client hung up on after its finish reason', async () => {
    await recorder.run(chat({ error: GONE }));
    assert.equal(only().insight.choices[0]?.text, 'a  b');
  });

  it('names no two files alike, however many come at once', async () => {
    await Promise.all(Array.from({ length: 50 }, () => recorder.run(chat())));
    assert.equal(files().length, 50);
  });

  for (const [what, user, segment] of [
    ['leads out of the folder', '../../etc', '..%2F..%2Fetc'],
    ['is a folder by itself', '..', '%2E%2E'],
    ['has another system’s separators', 'corp\\al:ice', 'corp%5Cal%3Aice'],
    ['is written in other letters', '你好', '你好'],
    ['could be the escape of another', '%2E%2E', '%252E%252E'],
  ] as const) {
    it(`puts a user whose name ${what} into a folder of their own`, async () => {
      await recorder.run(chat({ user }));
      assert.deepEqual(readdirSync(path.join(logs, 'usage')), [segment]);
      assert.equal(only().insight.user, user);
    });
  }

  it('lets no header of the client choose where a file lies', async () => {
    await recorder.run(chat({ headers: { 'editor-version': '../../x', 'vscode-machineid': '/etc/passwd' } }));
    assert.match(files()[0] as string, /^alice\/chat\/[\dT.-]+_%2Fetc%2Fpassw_10\.0\.0\.1_\.\.-\.\.-x\.json$/);
  });

  it('keeps headers by an allow-list', async () => {
    const headers = { 'X-Request-Id': 'r', Authorization: 'Bearer x', Cookie: 'x', 'X-New-Secret-Of-Tomorrow': 'x' };
    const response = { body: ANSWER, headers: { 'Content-Type': 'text/event-stream', 'Set-Cookie': 'x' } };
    await recorder.run(chat({ headers, response }));
    assert.deepEqual(only().request.headers, { 'x-request-id': 'r' });
    assert.deepEqual(only().response.headers, { 'content-type': 'text/event-stream' });
  });

  it('leaves no temporary file behind', async () => {
    for (let i = 0; i < 5; i++) await recorder.run(chat());
    const all = readdirSync(path.join(logs, 'usage/alice/chat'));
    assert.ok(
      all.every((file) => file.endsWith('.json')),
      all.join(),
    );
  });
});
