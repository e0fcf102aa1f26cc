import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import usage from '../../addons/usage.ts';
import type { Addon } from '../../core/addon.ts';
import { type FlowParts, type HostKit, makeFlow, makeHost } from '../host-kit.ts';
import { makeFolder, type UsageRecord } from '../proxy-process.ts';

const ANSWER = 'data: {"choices":[{"index":0,"delta":{"content":"a  b"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';

describe('the usage recorder', () => {
  let logs: string;
  let kit: HostKit;
  beforeEach(async () => {
    logs = makeFolder();
    kit = makeHost({ logs });
    await kit.use(usage as Addon);
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const record = async (parts: FlowParts, hook: 'response' | 'error' = 'response') => {
    const flow = makeFlow({ responseBody: ANSWER, ...parts });
    const pin = kit.host.pin();
    await pin.dispatch(hook, flow);
    pin.release();
    return flow;
  };
  const files = () =>
    readdirSync(path.join(logs, 'usage'), { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.json'),
    );
  const only = () => JSON.parse(readFileSync(path.join(logs, 'usage', files()[0] as string), 'utf8')) as UsageRecord;

  it('writes nothing for what is not to be counted, or was cut before it was finished', async () => {
    const flow = makeFlow({ responseBody: ANSWER });
    flow.metadata.uncounted = 'test';
    const pin = kit.host.pin();
    await pin.dispatch('response', flow);
    await record(
      { responseBody: 'data: {"choices":[]}\n\n', error: { by: 'client', code: 'X', message: '' } },
      'error',
    );
    await record({ error: { by: 'upstream', code: 'X', message: '' } }, 'error');
    await record({ url: 'https://api.githubcopilot.com/models' });
    assert.deepEqual(readdirSync(logs), []);
  });

  it('names no two files alike, however many come at once', async () => {
    const flow = makeFlow({ responseBody: ANSWER });
    const pin = kit.host.pin();
    await Promise.all(Array.from({ length: 50 }, () => pin.dispatch('response', flow)));
    pin.release();
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
      await record({ user });
      assert.deepEqual(readdirSync(path.join(logs, 'usage')), [segment]);
      assert.equal(only().insight.user, user);
    });
  }

  it('lets no header of the client choose where a file lies', async () => {
    await record({ headers: { 'editor-version': '../../x', 'vscode-machineid': '/etc/passwd' } });
    assert.match(files()[0] as string, /^alice\/chat\/[\dT.-]+_%2Fetc%2Fpassw_10\.0\.0\.1_\.\.-\.\.-x\.json$/);
  });

  it('keeps headers by an allow-list', async () => {
    const headers = { 'X-Request-Id': 'r', Authorization: 'Bearer x', Cookie: 'x', 'X-New-Secret-Of-Tomorrow': 'x' };
    await record({ headers, responseHeaders: { 'Content-Type': 'text/event-stream', 'Set-Cookie': 'x' } });
    assert.deepEqual(only().request.headers, { 'x-request-id': 'r' });
    assert.deepEqual(only().response.headers, { 'content-type': 'text/event-stream' });
  });

  it('leaves no temporary file behind', async () => {
    for (let i = 0; i < 5; i++) await record({});
    const all = readdirSync(path.join(logs, 'usage/alice/chat'));
    assert.ok(
      all.every((file) => file.endsWith('.json')),
      all.join(),
    );
  });
});
