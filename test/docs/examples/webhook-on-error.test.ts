import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AddonTest, type FlowParts, makeFlow } from '../../kit.ts';
import { eventually } from '../../proxy-process.ts';
import { type Note, WebhookReceiver } from '../../webhook-receiver.ts';
import { startExample } from '../example.ts';

const BROKEN = { response: { status: 503 } };
/** Long enough for a note that should not come. */
const QUIET_MS = 200;

describe('webhook-on-error', () => {
  let receiver: WebhookReceiver;
  let url: string;
  let notes: readonly Note[];

  beforeEach(async () => {
    receiver = await WebhookReceiver.start();
    ({ url, notes } = receiver);
  });
  afterEach(() => receiver.close());

  const run = (example: AddonTest, parts: FlowParts) => example.run(makeFlow(parts));
  const arrived = (count: number) => eventually(`${count} notes`, () => notes.length >= count);

  for (const [what, parts, problem] of [
    ['the server answers 500', { response: { status: 500 } }, 'answered 500'],
    ['the server answers 503', { response: { status: 503 } }, 'answered 503'],
    [
      'the server cannot be reached',
      { error: { by: 'upstream', code: 'ECONNREFUSED', message: 'no' } },
      'failed with ECONNREFUSED',
    ],
    [
      'an answer breaks off',
      { response: { body: 'half' }, error: { by: 'upstream', code: 'ECONNRESET', message: 'no' } },
      'failed with ECONNRESET',
    ],
    ['an addon kills the flow', { error: { by: 'addon', code: 'KILLED', message: '' } }, 'failed with KILLED'],
  ] as const) {
    it(`tells when ${what}`, async (t) => {
      const example = await startExample(t, 'webhook-on-error', { url });
      await run(example, parts);
      await arrived(1);
      const { at, ...note } = JSON.parse(notes[0]?.text ?? '');
      const host = 'api.githubcopilot.com';
      assert.deepEqual(note, { text: `insight-dump: ${host} ${problem}`, host, what: problem });
      assert.ok(Math.abs(Date.parse(at) - Date.now()) < 60_000, at);
    });
  }

  it('sends JSON that says it is', async (t) => {
    const example = await startExample(t, 'webhook-on-error', { url });
    await run(example, BROKEN);
    await arrived(1);
    assert.equal(notes[0]?.headers['content-type'], 'application/json');
  });

  for (const [what, parts] of [
    ['answers well', { response: { status: 200 } }],
    ['refuses', { response: { status: 429 } }],
    ['is hung up on', { error: { by: 'client', code: 'CLIENT_CLOSED', message: '' } }],
  ] as const) {
    it(`tells nothing when a server ${what}`, async (t) => {
      const example = await startExample(t, 'webhook-on-error', { url });
      await run(example, parts);
      await sleep(QUIET_MS);
      assert.deepEqual(notes, []);
    });
  }

  it('tells one failure of a host, and not the next ones', async (t) => {
    const example = await startExample(t, 'webhook-on-error', { url });
    for (let i = 0; i < 5; i++) await run(example, BROKEN);
    await sleep(QUIET_MS);
    assert.equal(notes.length, 1);
  });

  it('tells of another host meanwhile', async (t) => {
    const example = await startExample(t, 'webhook-on-error', { url });
    await run(example, BROKEN);
    await run(example, { ...BROKEN, url: 'https://other.example/' });
    await arrived(2);
    assert.deepEqual(notes.map(({ text }) => JSON.parse(text).host).sort(), ['api.githubcopilot.com', 'other.example']);
  });

  it('tells of the same host again after the pause', async (t) => {
    const example = await startExample(t, 'webhook-on-error', { url, pauseMs: 50 });
    await run(example, BROKEN);
    await sleep(60);
    await run(example, BROKEN);
    await arrived(2);
  });

  it('tells nothing of what was asked and answered', async (t) => {
    const example = await startExample(t, 'webhook-on-error', { url });
    await run(example, {
      url: 'https://api.githubcopilot.com/s3cret?token=s3cret',
      headers: { authorization: 'Bearer s3cret' },
      body: 's3cret',
      response: { headers: { 'set-cookie': 's3cret' }, body: 's3cret' },
      error: { by: 'addon', code: 'ADDON_FAILED', message: 's3cret' },
    });
    await arrived(1);
    assert.doesNotMatch(JSON.stringify(notes), /s3cret/);
  });

  it('makes no flow wait', async (t) => {
    receiver.answer = () => {};
    const example = await startExample(t, 'webhook-on-error', { url });
    assert.equal((await run(example, BROKEN)).received?.status, 503);
    await arrived(1);
  });

  it('lets go of a webhook that does not answer when it ends, and says nothing of it', async (t) => {
    let gone = false;
    receiver.answer = (response) => response.once('close', () => (gone = true));
    const example = await startExample(t, 'webhook-on-error', { url });
    await run(example, BROKEN);
    await arrived(1);
    await example.stop();
    await eventually('the end of the request', () => gone);
    assert.deepEqual(example.log.of('warn', 'error'), []);
  });

  it('warns once of a webhook that refuses', async (t) => {
    receiver.answer = (response) => response.writeHead(404).end();
    const example = await startExample(t, 'webhook-on-error', { url, pauseMs: 0 });
    for (let count = 1; count <= 3; count++) {
      await run(example, BROKEN);
      await arrived(count);
    }
    await eventually('the warning', () => example.log.of('warn').length > 0);
    await sleep(QUIET_MS);
    assert.deepEqual(example.log.of('warn', 'error'), ['cannot tell the webhook: it answered 404']);
  });

  it('warns of a webhook that cannot be reached, without its address', async (t) => {
    const gone = url;
    await receiver.close();
    const example = await startExample(t, 'webhook-on-error', { url: gone });
    await run(example, BROKEN);
    await eventually('the warning', () => example.log.of('warn').length > 0);
    assert.deepEqual(example.log.of('warn', 'error'), ['cannot tell the webhook: fetch failed']);
  });

  it('tells nobody when it is given no address', async (t) => {
    const example = await startExample(t, 'webhook-on-error');
    await run(example, BROKEN);
    await sleep(QUIET_MS);
    assert.deepEqual([notes, example.log.of('warn', 'error')], [[], []]);
  });

  for (const url of ['', 'example.com/hook', 'ftp://example.com', 'file:///etc/passwd']) {
    it(`refuses ${JSON.stringify(url)} for an address`, async (t) => {
      await assert.rejects(startExample(t, 'webhook-on-error', { url }), { code: 'optionsInvalid' });
    });
  }
});
