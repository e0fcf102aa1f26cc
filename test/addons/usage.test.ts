import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import usage from '../../addons/usage.ts';
import { type CopilotExchange, defineAddon } from '../../core/addon.ts';
import { readRecords } from '../../core/copilot/record-reader.ts';
import { type AddonTest, type FlowParts, makeFlow, type TestFlow, testAddon } from '../kit.ts';
import { eventually, makeFolder, type UsageRecord } from '../proxy-process.ts';

const CHAT = 'https://api.githubcopilot.com/chat/completions';
const ANSWER = 'data: {"choices":[{"index":0,"delta":{"content":"a  b"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
/** The recorder behind an addon that says what may be kept. */
const limiting = (keep: CopilotExchange['keep']) =>
  defineAddon({
    ...usage,
    exchange(exchange, flow, ctx) {
      exchange.keep = keep;
      return usage.exchange?.(exchange, flow, ctx);
    },
  });

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
      /\.(nd)?json$/.test(file),
    );
  const text = (file = files()[0] as string) => readFileSync(path.join(logs, 'usage', file), 'utf8');
  const only = () => JSON.parse(text()) as UsageRecord;
  /** All of it is on disk when this is over. */
  const record = async (...flows: readonly TestFlow[]) => {
    for (const flow of flows) await recorder.run(flow);
    await recorder.stop();
  };

  it('keeps what never was answered, with what failed', async () => {
    await record(
      makeFlow({ url: CHAT, body: '{"model": "m"}', error: { ...GONE, by: 'upstream', code: 'ECONNREFUSED' } }),
    );
    assert.match(files()[0] ?? '', /^alice\/other\//);
    const { response, insight } = only();
    assert.deepEqual(response, { status_code: null, headers: {} });
    assert.deepEqual([insight.outcome, insight.failure, insight.model], ['failed', 'ECONNREFUSED', 'm']);
    const records = [];
    for await (const each of readRecords(logs, { fromMs: 0, untilMs: Number.POSITIVE_INFINITY })) records.push(each);
    assert.equal(records.length, 1);
  });

  it('keeps what is neither a turn nor a completion beside them, without what was said', async () => {
    const uncounted = chat();
    uncounted.metadata.uncounted = 'test';
    const cut = chat({ response: { body: 'data: {"choices":[]}\n\n' }, error: GONE });
    await record(uncounted, cut, chat({ error: { ...GONE, by: 'upstream' } }));
    assert.equal(files().length, 3);
    for (const file of files()) {
      assert.match(file, /^alice\/other\//);
      const { request, response, insight } = JSON.parse(text(file));
      assert.deepEqual([request.content, response.content, insight.prompt, insight.choices], Array(4).fill(undefined));
      assert.equal(insight.counted.as, 'nothing');
    }
  });

  it('keeps what was said there as well if it is asked to', async () => {
    await recorder.configure({ otherContent: true });
    await record(chat({ error: { ...GONE, by: 'upstream' } }));
    assert.equal(only().insight.choices[0]?.text, 'a  b');
  });

  it('writes nothing for what is no use of Copilot', async () => {
    await record(chat({ url: 'https://api.githubcopilot.com/models' }));
    assert.deepEqual(readdirSync(logs), []);
  });

  it('keeps no more of an exchange than another addon lets it', async () => {
    await recorder.configure({ otherContent: true });
    const { exchange } = await recorder.run(chat());
    await recorder.stop();
    assert.equal(exchange?.keep, 'all');
    for (const keep of ['metadata', 'nothing'] as const) {
      recorder = await testAddon(limiting(keep), { logs: makeFolder({}, path.join(logs, keep)) });
      await record(chat());
    }
    assert.deepEqual(readdirSync(path.join(logs, 'nothing')), []);
    const [file] = readdirSync(path.join(logs, 'metadata/usage/alice/chat'));
    const { request, insight } = JSON.parse(text(`../metadata/usage/alice/chat/${file}`));
    assert.deepEqual([request.content, insight.prompt, insight.choices], Array(3).fill(undefined));
    assert.equal(insight.counted.as, 'turn');
  });

  it('writes a line for each into the file of the day, and another when that is full', async () => {
    await recorder.configure({ format: 'ndjson', maxFileMiB: 3_000 / 1024 / 1024 });
    const flows = Array.from({ length: 6 }, () => chat());
    // One after the other, so that each finds the file as the last has left it.
    for (const [i, flow] of flows.entries()) {
      await recorder.run(flow);
      await eventually('its line', () => lines().length > i);
    }
    await recorder.stop();
    const day = new Date().toISOString().slice(0, 10);
    assert.deepEqual(files().sort().slice(0, 2), [`alice/chat/${day}.1.ndjson`, `alice/chat/${day}.ndjson`]);
    assert.equal(new Set(lines().map((line) => JSON.parse(line).insight.id)).size, 6);
    assert.equal(statSync(path.join(logs, 'usage', files()[0] as string)).mode & 0o777, 0o600);
  });
  const lines = () =>
    (existsSync(path.join(logs, 'usage')) ? files() : []).flatMap((file) => text(file).trim().split('\n'));

  it('writes behind a torn line, so that the lines around it can be read', async () => {
    await recorder.configure({ format: 'ndjson' });
    const day = new Date().toISOString().slice(0, 10);
    makeFolder({ [`usage/alice/chat/${day}.ndjson`]: '{"insight":{"id":"to' }, logs);
    await record(chat());
    const read = readRecords(logs, { fromMs: 0, untilMs: Number.POSITIVE_INFINITY });
    const ids: string[] = [];
    for await (const { insight } of read) ids.push(insight.id);
    assert.equal(ids.length, 1);
    assert.equal(read.skipped, 1);
  });

  it('records what the client hung up on after its finish reason', async () => {
    await record(chat({ error: GONE }));
    assert.equal(only().insight.choices[0]?.text, 'a  b');
  });

  it('names no two files alike, however many come at once', async () => {
    await Promise.all(Array.from({ length: 50 }, () => recorder.run(chat())));
    await recorder.stop();
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
      await record(chat({ user }));
      assert.deepEqual(readdirSync(path.join(logs, 'usage')), [segment]);
      assert.equal(only().insight.user, user);
    });
  }

  it('lets no header of the client choose where a file lies', async () => {
    await record(chat({ headers: { 'editor-version': '../../x', 'vscode-machineid': '/etc/passwd' } }));
    assert.match(files()[0] as string, /^alice\/chat\/[\dT.-]+_%2Fetc%2Fpassw_10\.0\.0\.1_\.\.-\.\.-x\.json$/);
  });

  it('keeps headers by an allow-list', async () => {
    const headers = { 'X-Request-Id': 'r', Authorization: 'Bearer x', Cookie: 'x', 'X-New-Secret-Of-Tomorrow': 'x' };
    const response = { body: ANSWER, headers: { 'Content-Type': 'text/event-stream', 'Set-Cookie': 'x' } };
    await record(chat({ headers, response }));
    assert.deepEqual(only().request.headers, { 'x-request-id': 'r' });
    assert.deepEqual(only().response.headers, { 'content-type': 'text/event-stream' });
  });

  it('leaves no temporary file behind', async () => {
    await record(...Array.from({ length: 5 }, () => chat()));
    const all = readdirSync(path.join(logs, 'usage/alice/chat'));
    assert.ok(
      all.every((file) => file.endsWith('.json')),
      all.join(),
    );
  });
});
