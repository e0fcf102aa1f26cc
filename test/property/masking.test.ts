import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { Masking } from '../../addons/privacy/masking.ts';
import { SECRETS } from '../secrets.ts';

const masking = new Masking();
after(() => masking.close());

const LIMIT_MS = 60_000;
/** What stands around it runs into no secret. */
const around = fc.string({ unit: 'grapheme' }).map((text) => ` ${text} `);
const planted = fc.tuple(around, fc.constantFrom(...SECRETS), around);

/** Cuts a text at these places. */
function cut(text: string, places: readonly number[]): string[] {
  const ends = [...new Set(places.map((place) => place % (text.length + 1)))].sort((a, b) => a - b);
  return [...ends, text.length].map((end, i) => text.slice(ends[i - 1] ?? 0, end));
}

describe('masking', () => {
  it('never throws, whatever JSON it gets, and keeps its form', () =>
    fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), fc.string(), async (request, response, prompt) => {
        const masked = await masking.mask({ request, response, prompt, choices: [] }, LIMIT_MS);
        assert.deepEqual(Object.keys(masked).sort(), ['choices', 'prompt', 'request', 'response']);
        assert.equal(Array.isArray(masked.response), Array.isArray(response));
      }),
      { numRuns: 300 },
    ));

  it('leaves no secret in a stream, wherever it is cut', () =>
    fc.assert(
      fc.asyncProperty(
        planted,
        fc.array(fc.nat(), { maxLength: 12 }),
        async ([before, { text, secret }, behind], places) => {
          const pieces = cut(before + text + behind, places);
          const response = pieces.map((delta) => ({ type: 'response.output_text.delta', output_index: 0, delta }));
          const masked = await masking.mask({ request: {}, response, prompt: '', choices: [] }, LIMIT_MS);
          const answer = (masked.response as typeof response).map(({ delta }) => delta).join('');
          assert.ok(!answer.includes(secret), answer);
        },
      ),
      { numRuns: 300 },
    ));

  it('leaves no secret in JSON in a text, as often as it is put into one', () =>
    fc.assert(
      fc.asyncProperty(planted, fc.nat({ max: 3 }), async ([before, { text, secret }, behind], levels) => {
        let said = before + text + behind;
        for (let i = 0; i < levels; i++) said = JSON.stringify({ said });
        let { prompt } = await masking.mask({ request: {}, response: {}, prompt: said, choices: [] }, LIMIT_MS);
        assert.ok(!prompt.includes(secret), prompt);
        for (let i = 0; i < levels; i++) prompt = prompt.replace(/\\(["\\])/g, '$1');
        assert.ok(!prompt.includes(secret), prompt);
      }),
      { numRuns: 300 },
    ));
});
