import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BodyReader } from '../../core/copilot/body-reader.ts';
import { parseJson } from '../../core/copilot/json.ts';
import { EventReader, looksLikeEvents } from '../../core/copilot/sse.ts';
import { Headers } from '../../core/headers.ts';
import { chunked, cuts } from './arbitraries.ts';

const DONE = '[DONE]';

/** One line's worth of text: whatever has no line end in it. */
const words = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 10 }).map((text) => text.replace(/[\r\n\0]/g, '')),
  fc.json({ maxDepth: 1 }),
  fc.constantFrom('', ' ', '  x', DONE, ': ', 'data: x'),
);
const line = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('data:', 'data: '), words).map((parts) => parts.join('')) },
  { weight: 4, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: words.map((comment) => `:${comment}`) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom('event', 'id', 'retry', 'dat', 'datas', 'Data', ' data'), words)
      .map(([field, value]) => `${field}: ${value}`),
  },
  { weight: 1, arbitrary: fc.constantFrom('data', 'event', 'id', 'x') },
);
/** Lines with any of the three ends; the last one may have none. */
const stream = fc
  .tuple(fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n', '\r')), { maxLength: 14 }), line)
  .map(([lines, last]) => lines.map((parts) => parts.join('')).join('') + last);

/**
 * The data of all events, by the letter of the standard; but for one that the end of the stream cuts off, which counts.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
function dataOf(text: string): string[] {
  const events: string[] = [];
  let data: string[] = [];
  for (const each of [...text.split(/\r\n|\r|\n/), '']) {
    if (each === '') {
      if (data.length > 0) events.push(data.join('\n'));
      data = [];
      continue;
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(each) as RegExpExecArray;
    if (field === 'data') data.push(value);
  }
  return events;
}

/** The data of all events of a stream that is here as a whole. */
function eventsOf(text: string): unknown[] {
  const events: unknown[] = [];
  const reader = new EventReader((data) => events.push(parseJson(data)));
  reader.feed(text);
  reader.end();
  return events;
}

describe('server-sent events', () => {
  it('are read by the letter of the standard, whatever their line ends, comments and fields', () => {
    fc.assert(
      fc.property(stream, (text) => {
        const expected = dataOf(text).filter((data) => data !== DONE);
        assert.deepEqual(eventsOf(text), expected.map(parseJson));
      }),
      { numRuns: 2_000 },
    );
  });

  it('are the same in whatever chunks they came, with a byte order mark or without', async () => {
    await fc.assert(
      fc.asyncProperty(stream, cuts, fc.constantFrom('', '\ufeff'), async (text, at, mark) => {
        const seen: unknown[] = [];
        const headers = new Headers([['content-type', 'text/event-stream']]);
        const reader = new BodyReader(headers, (event) => seen.push(event));
        for (const chunk of chunked(Buffer.from(mark + text), at)) reader.push(chunk);
        await reader.end();
        assert.deepEqual(seen, eventsOf(text));
        assert.deepEqual(reader.content, seen);
      }),
    );
  });

  it('are all there that were complete, where the stream was cut', () => {
    fc.assert(
      fc.property(stream, fc.double({ min: 0, max: 1, noNaN: true }), (text, part) => {
        // Between the two characters of a line end, the second would be one of its own.
        const cut = text.slice(0, Math.floor(part * text.length)).replace(/\r$/, '');
        const before = eventsOf(cut);
        const complete = Math.max(0, before.length - 1);
        assert.deepEqual(before.slice(0, complete), eventsOf(text).slice(0, complete));
      }),
    );
  });

  it('are known by their content type, or by their first line', () => {
    fc.assert(
      fc.property(fc.constantFrom('data', 'event', 'id', 'retry', ''), words, stream, (field, value, rest) => {
        const text = `${field}: ${value}\n${rest}`;
        assert.ok(looksLikeEvents('application/json', text));
        assert.ok(looksLikeEvents('text/event-stream; charset=utf-8', rest));
      }),
    );
  });
});

describe('JSON', () => {
  it('is its value, and any other text is itself', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) =>
        assert.deepEqual(parseJson(JSON.stringify(value)), JSON.parse(JSON.stringify(value))),
      ),
    );
    fc.assert(fc.property(fc.string(), (text) => assert.equal(parseJson(`x${text}`), `x${text}`)));
  });
});
