import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readClientHello } from '../../core/engine/client-hello.ts';
import { extension, helloMessage, inRecords, serverNameExtension } from '../tls-hello.ts';
import { anyCase, chunked, cuts } from './arbitraries.ts';

const otherExtensions = fc.array(
  fc
    .tuple(fc.integer({ min: 1, max: 0xffff }), fc.uint8Array({ maxLength: 2_000 }))
    .map(([type, content]) => extension(type, content)),
  { maxLength: 3 },
);

/** A ClientHello in any number of records, and the name in it. */
const hello = fc
  .tuple(fc.domain().chain(anyCase), fc.constantFrom('', '.'), otherExtensions, otherExtensions, cuts)
  .map(([name, dot, before, after, at]) => {
    const message = helloMessage(...before, serverNameExtension(name + dot), ...after);
    return { bytes: inRecords(...chunked(message, at)), name: name.toLowerCase() };
  });

describe('a ClientHello', () => {
  it('is read once it is whole, in however many records, and not before', () => {
    fc.assert(
      fc.property(hello, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), ({ bytes, name }, part) => {
        assert.deepEqual(readClientHello(bytes), { kind: 'hello', serverName: name });
        const start = bytes.subarray(0, Math.floor(part * bytes.length));
        assert.deepEqual(readClientHello(start), { kind: 'unfinished', serverName: undefined });
      }),
    );
  });

  it('is read whatever comes after it', () => {
    fc.assert(
      fc.property(hello, fc.uint8Array({ maxLength: 20 }), ({ bytes, name }, more) => {
        assert.deepEqual(readClientHello(Buffer.concat([bytes, more])), { kind: 'hello', serverName: name });
      }),
    );
  });

  const changed = fc
    .tuple(hello, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }))
    .map(([{ bytes }, changes]) => {
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
      return bytes;
    });
  const hostile = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => inRecords(Buffer.concat([Uint8Array.of(1, 0, 0), bytes]))),
    changed,
  );

  it('is looked for in any bytes without an error, and names nothing but a host', () => {
    fc.assert(
      fc.property(hostile, (bytes) => {
        const { kind, serverName = 'none' } = readClientHello(bytes);
        assert.ok(['unfinished', 'hello', 'other'].includes(kind));
        assert.match(serverName, /^[a-z0-9._-]{1,253}$/);
      }),
      { numRuns: 2000 },
    );
  });
});
