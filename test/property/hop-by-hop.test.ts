import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { requestHeaders } from '../../core/engine/head.ts';
import type { HeaderPair } from '../../core/headers.ts';
import { anyCase, headerValue } from './arbitraries.ts';

/** Those that never go on. */
const DROPPED = [
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
];
const KEPT = ['accept', 'authorization', 'content-length', 'host', 'proxy-authorizationx', 'set-cookie', 'x-a', 'x-b'];

/** A list as `Connection` has it: of names in any case, with space and emptiness around them. */
const connectionList = fc
  .array(
    fc.tuple(
      fc.constantFrom('', ' ', '\t '),
      fc.constantFrom('close', 'x-a', 'x-b', 'host', 'accept', '').chain(anyCase),
      fc.constantFrom('', ' '),
    ),
    { maxLength: 4 },
  )
  .map((parts) => parts.map((part) => part.join('')).join(','));

const pair: fc.Arbitrary<HeaderPair> = fc.oneof(
  fc.tuple(fc.constantFrom(...KEPT, ...DROPPED.filter((name) => name !== 'connection')).chain(anyCase), headerValue),
  fc.tuple(anyCase('connection'), connectionList),
);
const received = fc.array(pair, { maxLength: 14 });

const lower = (pairs: Iterable<HeaderPair>): string[] => [...pairs].map(([name]) => name.toLowerCase());

/** The names in all fields called `Connection`. */
function namedByConnection(pairs: readonly HeaderPair[]): string[] {
  return pairs
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(','))
    .map((name) => name.trim().toLowerCase());
}

describe('a request head on its way up', () => {
  it('never has credentials for the proxy, however they are written', () => {
    fc.assert(
      fc.property(received, anyCase('proxy-authorization'), fc.nat(20), (pairs, name, place) => {
        const all = pairs.toSpliced(place, 0, [name, 'Basic s3cret']);
        assert.ok(!lower(requestHeaders(all, 'fallback')).includes('proxy-authorization'));
      }),
    );
  });

  it('never has what concerns one connection only, nor what Connection names', () => {
    fc.assert(
      fc.property(received, (pairs) => {
        const sent = lower(requestHeaders(pairs, 'fallback'));
        // A Host that Connection names is dropped like others, and the target's takes its place.
        const gone = [...DROPPED, ...namedByConnection(pairs).filter((name) => name !== 'host')];
        assert.deepEqual(
          sent.filter((name) => gone.includes(name)),
          [],
        );
      }),
    );
  });

  it('has all the rest as it was, in order', () => {
    fc.assert(
      fc.property(received, (pairs) => {
        const gone = [...DROPPED, ...namedByConnection(pairs)];
        const rest = pairs.filter(([name]) => !gone.includes(name.toLowerCase()));
        const expected = lower(rest).includes('host') ? rest : [['host', 'fallback'], ...rest];
        assert.deepEqual([...requestHeaders(pairs, 'fallback')], expected);
      }),
    );
  });

  it('has HTTP/2’s cookies in one field, in the place of the first', () => {
    const cookie = fc.tuple(anyCase('cookie'), fc.constantFrom('a=1', 'b=2', 'c=3'));
    fc.assert(
      fc.property(fc.array(fc.oneof(cookie, fc.tuple(fc.constant('x-a'), headerValue))), (pairs) => {
        const isCookie = ([name]: HeaderPair) => name.toLowerCase() === 'cookie';
        const sent = [...requestHeaders([['host', 'a'], ...pairs], 'fallback')].slice(1);
        const all = pairs.filter(isCookie).map(([, value]) => value);
        assert.deepEqual(
          sent.filter(isCookie).map(([, value]) => value),
          all.length === 0 ? [] : [all.join('; ')],
        );
        assert.equal(sent.findIndex(isCookie), pairs.findIndex(isCookie));
      }),
    );
  });
});
