import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isBodiless, requestHeaders } from '../../../core/engine/head.ts';

describe('a request head on its way up', () => {
  const up = (...pairs: readonly [string, string][]) => [...requestHeaders(pairs, 'fallback')];

  it('keeps order, case and duplicates', () => {
    const pairs: [string, string][] = [
      ['HOST', 'a'],
      ['X-b', '1'],
      ['x-B', '2'],
      ['Trailer', 'x'],
    ];
    assert.deepEqual(up(...pairs), pairs);
  });

  it('has a Host instead of HTTP/2’s pseudo-headers', () => {
    assert.deepEqual(up([':method', 'GET'], [':authority', 'a:1'], [':path', '/'], ['x', 'y']), [
      ['host', 'a:1'],
      ['x', 'y'],
    ]);
    assert.deepEqual(up(['x', 'y']), [
      ['host', 'fallback'],
      ['x', 'y'],
    ]);
  });

  it('has one Cookie where HTTP/2 has split it', () => {
    assert.deepEqual(up(['host', 'a'], ['cookie', 'b=1'], ['x', 'y'], ['cookie', 'c=2']), [
      ['host', 'a'],
      ['cookie', 'b=1; c=2'],
      ['x', 'y'],
    ]);
  });

  it('loses what concerns this connection only, credentials for the proxy, and Expect', () => {
    assert.deepEqual(
      up(
        ['Host', 'a'],
        ['Connection', 'close, X-Hop'],
        ['X-Hop', '1'],
        ['Keep-Alive', 'x'],
        ['Proxy-Connection', 'x'],
        ['Proxy-Authorization', 'Basic x'],
        ['TE', 'trailers'],
        ['Transfer-Encoding', 'chunked'],
        ['Upgrade', 'h2c'],
        ['Expect', '100-continue'],
        ['X-Kept', '1'],
      ),
      [
        ['Host', 'a'],
        ['X-Kept', '1'],
      ],
    );
  });
});

describe('an answer without a body', () => {
  for (const [method, status, expected] of [
    ['HEAD', 200, true],
    ['GET', 204, true],
    ['GET', 304, true],
    ['POST', 103, true],
    ['GET', 200, false],
    ['POST', 205, false],
  ] as const) {
    it(`is ${expected ? '' : 'not '}${status} to ${method}`, () => assert.equal(isBodiless(method, status), expected));
  }
});
