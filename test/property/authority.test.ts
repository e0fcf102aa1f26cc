import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseAbsoluteForm, parseAuthority } from '../../core/engine/authority.ts';
import { anyCase, anyCharacter } from './arbitraries.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const name = fc.oneof(fc.domain(), fc.ipV4()).chain(anyCase);
const anything = fc.oneof(
  fc.string({ unit: anyCharacter }),
  fc.string({ unit: 'grapheme' }),
  // What looks like one, nearly.
  fc.string({ unit: fc.constantFrom('a', 'F', '0', '9', '.', ':', '[', ']', '@', '/', '%', ' ', '-'), maxLength: 20 }),
);

describe('an authority', () => {
  it('is a name or IPv4 address and a port: in lower case, without a trailing dot', () => {
    fc.assert(
      fc.property(name, fc.constantFrom('', '.'), port, (host, dot, number) => {
        assert.deepEqual(parseAuthority(`${host}${dot}:${number}`), { host: host.toLowerCase(), port: number });
      }),
    );
  });

  it('is an IPv6 address in brackets and a port', () => {
    fc.assert(
      fc.property(fc.ipV6().chain(anyCase), port, (host, number) => {
        assert.deepEqual(parseAuthority(`[${host}]:${number}`), { host: host.toLowerCase(), port: number });
        assert.equal(parseAuthority(`${host}:${number}`), undefined);
      }),
    );
  });

  it('is none without a port, or with one that cannot be', () => {
    const wrong = fc.oneof(
      fc.constantFrom('', ':', ':0', ':00', ':+1', ':-1', ':1.5', ':0x50', ': 80', ':80 '),
      fc.integer({ min: 65_536 }).map((number) => `:${number}`),
    );
    fc.assert(fc.property(name, wrong, (host, end) => assert.equal(parseAuthority(host + end), undefined)));
  });

  it('is read from any text without an error, and never holds what has no place in a host', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const authority = parseAuthority(text);
        if (authority === undefined) return;
        assert.doesNotMatch(authority.host, /[\s@/?#[\]\\]|^$/);
        assert.ok(authority.port >= 1 && authority.port <= 65_535);
      }),

      { numRuns: 2000 },
    );
  });
});

describe('an absolute form', () => {
  const path = fc.webPath().chain((segments) => fc.webQueryParameters().map((query) => `/${segments}?${query}`));

  it('is a target, with port 80 unless it has one, and a path as it was written', () => {
    fc.assert(
      fc.property(name, fc.option(port, { nil: undefined }), path, anyCase('http'), (host, number, rest, scheme) => {
        const end = number === undefined ? '' : `:${number}`;
        assert.deepEqual(parseAbsoluteForm(`${scheme}://${host}${end}${rest}`, 'GET'), {
          target: { host: host.toLowerCase(), port: number ?? 80 },
          path: rest,
        });
      }),
    );
  });

  it('is read from any text without an error, and its path begins with a slash', () => {
    fc.assert(
      fc.property(fc.constantFrom('', 'http://', 'http://a'), anything, (start, text) => {
        const wanted = parseAbsoluteForm(start + text, 'GET');
        if (wanted !== undefined) assert.match(wanted.path, /^\/[^#]*$/);
      }),

      { numRuns: 2000 },
    );
  });
});
