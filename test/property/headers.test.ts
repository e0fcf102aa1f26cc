import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type HeaderPair, Headers } from '../../core/headers.ts';
import { anyCase, anyCharacter, headerValue } from './arbitraries.ts';

/** Few names, so that they meet; some begin alike, some are as long as others. */
const NAMES = ['a', 'b', 'x-a', 'x-b', 'set-cookie', 'content-length', '__proto__'];
const name = fc.constantFrom(...NAMES).chain(anyCase);
const pairs: fc.Arbitrary<HeaderPair[]> = fc.array(fc.tuple(name, headerValue), { maxLength: 12 });

type Change = ['set' | 'append', string, string] | ['delete', string];
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(fc.constantFrom('set', 'append'), name, headerValue),
  fc.tuple(fc.constant('delete'), name),
);

/** The pairs of that name, in any case. */
function named(all: readonly HeaderPair[], wanted: string): HeaderPair[] {
  return all.filter(([key]) => key.toLowerCase() === wanted.toLowerCase());
}

/** What a change should make of the pairs, put as plainly as can be. */
function changed(all: readonly HeaderPair[], [kind, wanted, value = '']: Change): HeaderPair[] {
  const same = named(all, wanted);
  if (kind === 'delete') return all.filter((pair) => !same.includes(pair));
  const [first] = same;
  if (kind === 'append' || first === undefined) return [...all, [wanted, value]];
  return all
    .filter((pair) => pair === first || !same.includes(pair))
    .map((pair) => (pair === first ? [first[0], value] : pair));
}

/** Now a proper one, now anything. */
const anyName = fc.oneof(name, fc.string({ unit: anyCharacter, maxLength: 4 }));
const anyValue = fc.oneof(headerValue, fc.string({ unit: anyCharacter, maxLength: 8 }));

describe('headers', () => {
  it('keep order, case and duplicates of all others, whatever is set, appended or deleted', () => {
    fc.assert(
      fc.property(pairs, fc.array(change, { maxLength: 10 }), (start, changes) => {
        const headers = new Headers(start);
        let expected = start;
        for (const each of changes) {
          const had = named(expected, each[1]).length > 0;
          if (each[0] === 'delete') assert.equal(headers.delete(each[1]), had);
          else headers[each[0]](each[1], each[2] as string);
          expected = changed(expected, each);
          assert.deepEqual([...headers], expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are found in any case: one by one, joined, or not at all', () => {
    fc.assert(
      fc.property(pairs, name, (start, wanted) => {
        const headers = new Headers(start);
        const values = named(start, wanted).map(([, value]) => value);
        assert.deepEqual(headers.getAll(wanted), values);
        assert.equal(headers.get(wanted), values.length === 0 ? undefined : values.join(', '));
        assert.equal(headers.has(wanted), values.length > 0);
      }),
    );
  });

  it('are the same after a way through Node’s flat form', () => {
    fc.assert(
      fc.property(pairs, (start) => {
        assert.deepEqual([...Headers.fromFlat(new Headers(start).toFlat())], start);
      }),
    );
  });

  it('become an object that holds each value once, in order, by name in lower case', () => {
    fc.assert(
      fc.property(pairs, (start) => {
        const object = new Headers(start).toObject();
        for (const each of NAMES) {
          assert.deepEqual([object[each] ?? []].flat(), new Headers(start).getAll(each), each);
        }
        assert.deepEqual(new Set(Object.keys(object)), new Set(start.map(([key]) => key.toLowerCase())));
      }),
    );
  });

  it('refuse whatever would break a head apart, and append nothing of it', () => {
    fc.assert(
      fc.property(pairs, anyName, anyValue, (start, key, value) => {
        const headers = new Headers(start);
        try {
          headers.append(key, value);
        } catch (error) {
          assert.ok(error instanceof TypeError);
          assert.deepEqual([...headers], start);
          return;
        }
        assert.doesNotMatch(`${key}: ${value}`, /[\r\n\0]/);
        assert.match(key, /^[^\s:]+$/);
      }),
    );
  });
});
