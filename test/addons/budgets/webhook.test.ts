import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import budgets from '../../../addons/budgets.ts';
import { type AddonTest, makeFlow, testAddon } from '../../kit.ts';
import { eventually } from '../../proxy-process.ts';
import { WebhookReceiver } from '../../webhook-receiver.ts';

const LIMITS = [{ everyone: true, turns: 2, action: 'refuse', at: [0.5, 1] }];

describe('the webhook of budgets', () => {
  let receiver: WebhookReceiver;
  let addon: AddonTest;
  beforeEach(async () => {
    receiver = await WebhookReceiver.start();
  });
  afterEach(async () => {
    await addon.stop();
    await receiver.close();
  });

  const begin = async (webhook = `${receiver.url}/s3cret?token=s3cret`) => {
    addon = await testAddon(budgets, { options: { limits: LIMITS, webhook } });
  };
  const ask = (user = 'alice') =>
    addon.run(
      makeFlow({
        url: 'https://api.githubcopilot.com/chat/completions',
        headers: { authorization: 'Bearer s3cret' },
        body: JSON.stringify({ messages: [{ role: 'user', content: 's3cret' }] }),
        user,
        response: { body: '{"choices":[{"index":0,"message":{"content":"s3cret"},"finish_reason":"stop"}]}' },
      }),
    );
  const noted = (count: number) => eventually(`${count} notes`, () => receiver.notes.length >= count);
  const problems = () => addon.log.of('error');

  it('is told of each warning, in numbers and words, and of nothing that was said', async () => {
    await begin();
    await ask();
    await noted(1);
    const [{ headers, text } = { headers: {}, text: '' }] = receiver.notes;
    assert.equal(headers['content-type'], 'application/json');
    const { date, ...note } = JSON.parse(text);
    assert.match(date, /^\d{4}-\d\d-\d\d$/);
    assert.deepEqual(note, {
      text: '⚠️  user alice has used 50% of 2 turns a day (everyone)',
      user: 'alice',
      unit: 'turns',
      used: 1,
      max: 2,
      at: 0.5,
      action: 'refuse',
    });
    await ask();
    await noted(2);
    assert.match(JSON.parse(receiver.notes[1]?.text ?? '').text, /⛔ user alice has used 100%/);
    assert.doesNotMatch(JSON.stringify([receiver.notes, addon.log.lines]), /s3cret/);
  });

  it('is tried again', async () => {
    let tries = 0;
    receiver.answer = (response) => {
      tries += 1;
      response.writeHead(tries === 1 ? 503 : 200).end();
    };
    await begin();
    await ask();
    await noted(2);
    await addon.stop();
    assert.deepEqual(problems(), []);
  });

  it('makes nobody wait when it does not answer, and lets go of it at the end', async () => {
    receiver.answer = () => {};
    await begin();
    for (const user of ['alice', 'bob', 'carol']) assert.equal((await ask(user)).received?.status, 200);
    await noted(1);
    await addon.stop();
  });

  it('is said to fail once, and to answer again, without its path', async () => {
    receiver.answer = (response) => response.writeHead(302, { location: `${receiver.url}/elsewhere` }).end();
    await begin();
    await ask('alice');
    await eventually('the error', () => problems().length > 0, 20_000);
    for (const user of ['bob', 'carol']) await ask(user);
    await noted(5);
    receiver.answer = (response) => response.end();
    await ask('dave');
    await eventually('the end of it', () => addon.log.of('warn').some((line) => /answers again/.test(line)));
    assert.equal(problems().length, 1);
    assert.match(problems()[0] ?? '', /the webhook at 127\.0\.0\.1:\d+: it answers 302;/);
    assert.doesNotMatch(JSON.stringify(addon.log.lines), /s3cret|elsewhere/);
  });

  it('is named without its path when nobody listens there', async () => {
    await receiver.close();
    await begin('http://127.0.0.1:1/s3cret');
    await ask();
    await eventually('the error', () => problems().length > 0, 20_000);
    assert.match(problems()[0] ?? '', /127\.0\.0\.1:1: (ECONNREFUSED|bad port)/);
    assert.doesNotMatch(JSON.stringify(addon.log.lines), /s3cret/);
    receiver = await WebhookReceiver.start();
  });
});
