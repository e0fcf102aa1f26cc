import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Masking } from '../../../addons/privacy/masking.ts';
import type { CopilotExchange } from '../../../core/addon.ts';
import { SECRETS } from '../../secrets.ts';

const masking = new Masking();
after(() => masking.close());

const LIMIT_MS = 20_000;
type Said = Pick<CopilotExchange, 'request' | 'response' | 'prompt' | 'choices'>;

const said = (parts: Partial<Said>): Said => ({ request: {}, response: {}, prompt: '', choices: [], ...parts });
const mask = (parts: Partial<Said>) => masking.mask(said(parts), LIMIT_MS);

/** Events of a stream that say this. */
const events = (texts: readonly string[], index = 0) =>
  texts.map((content) => ({ id: 'chatcmpl-1', choices: [{ index, delta: { content } }] }));
const contentOf = (response: unknown, index = 0) =>
  (response as ReturnType<typeof events>)
    .flatMap(({ choices }) => choices)
    .filter((choice) => choice.index === index)
    .map(({ delta }) => delta.content)
    .join('');

describe('masking', () => {
  for (const { kind, text, secret } of SECRETS) {
    it(`takes out a secret: ${kind}`, async () => {
      const sentence = `look at ${text} and say`;
      const masked = await mask({ request: { messages: [{ content: sentence }] }, prompt: sentence });
      assert.ok(!JSON.stringify(masked).includes(secret), JSON.stringify(masked));
      assert.match(masked.prompt, /^look at .*\[masked [a-z .-]+\].* and say$/s);
    });
  }

  it('leaves everything else as it is', async () => {
    const request = {
      model: 'gpt-4o',
      messages: [
        { role: 'user', content: '@Component({ selector: "a" }) git@github.com:a/b.git lodash@4.17.21 a = b @ c' },
      ],
      n: 1,
      list: [null, true, 1.5, { '': '' }],
    };
    const response = [...events(['a ', ' b', '']), ''];
    const choices = [{ index: 0, text: 'a  b', finishReason: 'stop', toolCalls: [] }];
    const before = structuredClone({ request, response, prompt: 'x  y\u2028\\u0041', choices });
    assert.deepEqual(await mask(before), { request, response, prompt: 'x  y\u2028\\u0041', choices });
  });

  it('takes out what an answer says in pieces, of each choice by itself', async () => {
    const [{ secret } = { secret: '' }] = SECRETS;
    const pieces = (text: string) => [...text].map((letter) => letter);
    const [first, second] = [events(pieces(`a ${secret} b`)), events(pieces(`c ${secret} d`), 1)];
    const response = first.flatMap((event, i) => [event, second[i]]);
    const masked = await mask({ response });
    assert.match(contentOf(masked.response), /^a \[masked [a-z ]+\] b$/);
    assert.match(contentOf(masked.response, 1), /^c \[masked [a-z ]+\] d$/);
  });

  it('takes out what the arguments of a tool hide by their escapes', async () => {
    const { secret } = SECRETS[0] as { secret: string };
    const hidden = JSON.stringify({ key: `\u0001${secret}` }).replace('_', '\\u005f');
    for (const text of [hidden, JSON.stringify(hidden)]) {
      const choices = [{ index: 0, text: '', finishReason: 'stop', toolCalls: [{ name: 'x', arguments: text }] }];
      assert.ok(!JSON.stringify(await mask({ choices })).includes(secret.slice(10)), text);
    }
  });

  it('takes out names in objects, and loses none of their values', async () => {
    const { secret } = SECRETS[0] as { secret: string };
    const masked = await mask({ request: { [secret]: 1, [`${secret}A`]: 2, __proto__: 3 } });
    assert.deepEqual(Object.values(masked.request as object).sort(), [1, 2]);
    assert.ok(!JSON.stringify(masked).includes(secret));
  });

  it('takes a secret out of a prompt that begins in the middle of it', async () => {
    const { secret } = SECRETS[0] as { secret: string };
    const whole = `${secret}${' and so on'.repeat(10)}`;
    const masked = await mask({ request: { prompt: whole }, prompt: whole.slice(12) });
    assert.ok(!masked.prompt.includes(secret.slice(-8)), masked.prompt);
    assert.match(masked.prompt, /and so on$/);
  });

  it('is over in time, whatever text it gets', async () => {
    for (const piece of [
      'a',
      'eyJa-',
      'a.',
      '://',
      'https://a:',
      'a@',
      'tid=',
      '-----BEGIN PRIVATE KEY-----',
      '\\u0041',
      '?a',
    ])
      await mask({ prompt: piece.repeat(1_000_000 / piece.length) });
  });

  it('gives up what takes too long, and goes on with the next', async () => {
    const long = said({ request: Array.from({ length: 300_000 }, (_, i) => `${i} a@b.cd`) });
    await assert.rejects(masking.mask(long, 1), /it took more than 1 ms/);
    assert.equal((await mask({ prompt: 'x a@example.com' })).prompt, 'x [masked e-mail address]');
  });

  it('gives up what cannot be passed to a thread, or is too deep', async () => {
    await assert.rejects(mask({ request: () => {} }));
    let deep: unknown = 'x';
    for (let i = 0; i < 100_000; i++) deep = [deep];
    await assert.rejects(mask({ request: deep }));
    assert.equal((await mask({ prompt: 'x' })).prompt, 'x');
  });

  it('takes no more than it can hold', async () => {
    const all = Array.from({ length: 150 }, () => mask({ prompt: 'x' }).catch((error: Error) => error));
    const refused = (await Promise.all(all)).filter((each) => each instanceof Error);
    assert.equal(refused.length, 49);
    assert.match(String(refused[0]), /100 exchanges wait already/);
  });
});
