import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EventReader, looksLikeEvents } from '../../../core/copilot/sse.ts';

/** Far more than it takes, and far less than what took the square of the length. */
const SOON_MS = 20_000;
const MIB = 1024 * 1024;

function read(...pieces: readonly string[]) {
  const data: string[] = [];
  const reader = new EventReader((each) => data.push(each));
  for (const piece of pieces) reader.feed(piece);
  reader.end();
  return { data, overflowed: reader.overflowed };
}

describe('a stream of events', () => {
  for (const [what, pieces, data] of [
    ['with one event', ['data: a\n\n'], ['a']],
    ['with CRLF that is cut in two', ['data: a\r', '\n\r', '\ndata: b\r\n\r\n'], ['a', 'b']],
    ['with CR only', ['data: a\r\rdata: b\r\r'], ['a', 'b']],
    ['with comments', [': ping\n\n:\ndata: a\n: x\ndata: b\n\n'], ['a\nb']],
    ['with names, ids and times to wait', ['event: x\nid: 1\nretry: 5\ndata: a\n\nevent: y\n\n'], ['a']],
    ['with several lines of data, of which one is empty', ['data: a\ndata:\ndata\ndata:  b\n\n'], ['a\n\n\n b']],
    ['without a last blank line', ['data: a\n\ndata: b'], ['a', 'b']],
    ['with the mark of the end, and more behind it', ['data: [DONE]\n\ndata: a\n\n'], ['a']],
    ['with nothing in it', [''], []],
    ['with fields that are none', ['dat: a\n data: b\nDATA: c\n\n'], []],
  ] as const)
    it(`is read ${what}`, () => assert.deepEqual(read(...pieces).data, data));

  it('passes over an event that is too large, in one line or in many, and goes on behind it', () => {
    for (const large of [`data: ${'x'.repeat(5 * MIB)}\n\n`, 'data: xxxx\n'.repeat(MIB), `${'x'.repeat(5 * MIB)}\n\n`])
      assert.deepEqual(read('data: a\n\n', `${large}\n`, 'data: b\n\n'), { data: ['a', 'b'], overflowed: true });
  });

  for (const unit of ['x\n', '\r', 'data:\n', ':\r\n', 'x'])
    it(`takes time by its length only, if it is ${JSON.stringify(unit)} over and over`, () => {
      const began = performance.now();
      const piece = unit.repeat(MIB / unit.length);
      read(...Array<string>(8).fill(piece));
      assert.ok(performance.now() - began < SOON_MS);
    });
});

describe('what looks like events', () => {
  for (const [type, beginning, expected] of [
    ['application/json', 'data: {}', true],
    ['application/json', '\n\n: ping', true],
    ['application/json', '{"data": 1}', false],
    ['text/event-stream', '{"error": {}}', true],
    [undefined, 'event:x', true],
    [undefined, 'database: x', false],
    [undefined, '', false],
  ] as const)
    it(`is ${expected ? '' : 'not '}${JSON.stringify(beginning)} as ${type}`, () =>
      assert.equal(looksLikeEvents(type, beginning), expected));
});
