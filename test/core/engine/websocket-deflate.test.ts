import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agreedDeflate, offerDeflateOnly } from '../../../core/engine/websocket-deflate.ts';
import { Headers } from '../../../core/headers.ts';

const NAME = 'Sec-WebSocket-Extensions';

describe('what a client offers of WebSocket extensions', () => {
  for (const [offered, ...expected] of [
    [['permessage-deflate; client_max_window_bits'], 'permessage-deflate; client_max_window_bits'],
    [['x-webkit-deflate-frame', 'permessage-deflate'], 'permessage-deflate'],
    [
      ['permessage-deflate; server_max_window_bits=10, x-other; a="b", permessage-deflate'],
      'permessage-deflate; server_max_window_bits=10, permessage-deflate',
    ],
    [['x-other']],
    [['permessage-deflate;;']],
    [[]],
  ] as const) {
    it(`is passed on as ${expected[0] ?? 'nothing'}: ${JSON.stringify(offered)}`, () => {
      const headers = new Headers(offered.map((value) => [NAME, value]));
      offerDeflateOnly(headers);
      assert.deepEqual(headers.getAll(NAME), expected);
    });
  }
});

describe('what client and server have agreed on', () => {
  for (const [answer, isCompressed] of [
    ['permessage-deflate', true],
    ['permessage-deflate; server_no_context_takeover; client_max_window_bits=12', true],
    ['permessage-deflate; client_max_window_bits=7', false],
    ['permessage-deflate; unheard-of', false],
    ['x-other', false],
    ['=', false],
  ] as const) {
    it(`is ${isCompressed ? '' : 'not '}to compress, after ${answer}`, () => {
      for (const role of ['client', 'server'] as const) {
        const deflate = agreedDeflate(new Headers([[NAME, answer]]), role, 1_000);
        assert.equal(deflate !== undefined, isCompressed);
      }
    });
  }
});
