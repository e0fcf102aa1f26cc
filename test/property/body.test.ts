import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BodyCopy } from '../../core/body.ts';
import { decodeContent } from '../../core/encoding.ts';
import { Headers } from '../../core/headers.ts';
import { anyCase, chunked, content, cuts } from './arbitraries.ts';
import { type Coding, ENCODERS, encode, zstdStored } from './codings.ts';

const NO_LIMIT = 64 * 1024 * 1024;

const coding = fc.constantFrom(...(Object.keys(ENCODERS) as Coding[]));
const codings = fc.array(coding, { minLength: 1, maxLength: 3 });

/** A copy of these chunks, with codings as a message names them. */
function copyOf(chunks: readonly Buffer[], encoding: readonly string[], limit = NO_LIMIT): BodyCopy {
  const headers = new Headers(encoding.map((each) => ['Content-Encoding', each] as const));
  const copy = new BodyCopy(headers, limit, () => assert.fail('not to be set'));
  for (const chunk of chunks) copy.push(chunk);
  return copy;
}

describe('a body', () => {
  it('is what was sent, in whatever chunks it came and codings it had', () => {
    fc.assert(
      fc.property(content, codings, cuts, (bytes, applied, at) => {
        const wire = encode(bytes, applied);
        const copy = copyOf(chunked(wire, at), applied);
        assert.deepEqual(copy.bytes(), bytes);
        assert.deepEqual(copy.raw(), wire);
        assert.equal(copy.size, wire.length);
        assert.equal(copy.truncated, false);
      }),
    );
  });

  it('is the same whether codings are in one field or several, in any case', () => {
    fc.assert(
      fc.property(
        content,
        codings.chain((applied) => fc.tuple(fc.constant(applied), anyCase(applied.join(' ,')))),
        (bytes, [applied, named]) => {
          assert.deepEqual(copyOf([encode(bytes, applied)], [named]).bytes(), bytes);
        },
      ),
    );
  });

  it('is what was sent with zstd too', () => {
    fc.assert(
      fc.property(content, cuts, (bytes, at) => {
        assert.deepEqual(copyOf(chunked(zstdStored(bytes), at), ['zstd']).bytes(), bytes);
      }),
    );
  });

  it('is read at any time as far as it has come', () => {
    fc.assert(
      fc.property(content, cuts, (bytes, at) => {
        const copy = copyOf([], []);
        let come = 0;
        for (const chunk of chunked(bytes, at)) {
          copy.push(chunk);
          come += chunk.length;
          assert.deepEqual(copy.bytes(), bytes.subarray(0, come));
        }
      }),
    );
  });

  it('keeps its first bytes up to the limit, counts all, and says whether there were more', () => {
    fc.assert(
      fc.property(content, cuts, fc.nat(2_000), (bytes, at, limit) => {
        const copy = copyOf(chunked(bytes, at), [], limit);
        assert.deepEqual(copy.raw(), bytes.subarray(0, limit));
        assert.equal(copy.size, bytes.length);
        assert.equal(copy.truncated, bytes.length > limit);
      }),
    );
  });
});

describe('decoding', () => {
  it('gives the beginning of a stream that was cut anywhere', () => {
    fc.assert(
      fc.property(content, coding, fc.double({ min: 0, max: 1, noNaN: true }), (bytes, each, part) => {
        const wire = encode(bytes, [each]);
        const cut = wire.subarray(0, Math.floor(part * wire.length));
        const decoded = decodeContent(cut, each, NO_LIMIT).content;
        assert.deepEqual(decoded, bytes.subarray(0, decoded.length));
      }),

      { numRuns: 500 },
    );
  });

  it('never throws, and gives back what is not in its coding', () => {
    const encoding = fc.oneof(fc.string(), codings.map(String), fc.constantFrom('zstd', 'zstd,gzip', ',,', 'br;q=1'));
    fc.assert(
      fc.property(content, encoding, (bytes, named) => {
        const { content: decoded, whole } = decodeContent(bytes, named, NO_LIMIT);
        assert.ok(Buffer.isBuffer(decoded));
        assert.equal(whole, true);
      }),
    );
  });

  it('never throws for a stream that was damaged', () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    const kinds: Record<string, (bytes: Buffer) => Buffer> = { ...ENCODERS, zstd: zstdStored };
    fc.assert(
      fc.property(content, fc.constantFrom(...Object.keys(kinds)), damage, (bytes, each, places) => {
        const wire = Buffer.from(kinds[each]?.(bytes) ?? bytes);
        for (const [place, byte] of places) {
          // A zstd window can be declared far larger than memory; that is a test of its own.
          if (wire.length > 6) wire[6 + (place % (wire.length - 6))] = byte;
        }
        assert.ok(Buffer.isBuffer(decodeContent(wire, each, 100_000).content));
      }),

      { numRuns: 500 },
    );
  });

  it('gives all or nothing, never more than the limit', () => {
    fc.assert(
      fc.property(content, coding, fc.integer({ min: 1, max: 2_000 }), (bytes, each, limit) => {
        fc.pre(each !== 'identity');
        const { content: decoded, whole } = decodeContent(encode(bytes, [each]), each, limit);
        assert.equal(whole, bytes.length <= limit);
        assert.deepEqual(decoded, whole ? bytes : Buffer.alloc(0));
      }),
    );
  });
});
