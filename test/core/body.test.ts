import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { BodyCopy } from '../../core/body.ts';
import { Headers } from '../../core/headers.ts';

const never = () => assert.fail('not to be set');

function body(chunks: readonly (string | Buffer)[], { limit = 1_000, encoding = '' } = {}): BodyCopy {
  const copy = new BodyCopy(new Headers(encoding === '' ? [] : [['Content-Encoding', encoding]]), limit, never);
  for (const chunk of chunks) copy.push(Buffer.from(chunk as string));
  return copy;
}

describe('a body', () => {
  it('is its chunks put together, as bytes, text and JSON', () => {
    const copy = body(['{"a": "', '你', '好"}']);
    assert.equal(copy.text(), '{"a": "你好"}');
    assert.deepEqual(copy.json(), { a: '你好' });
    assert.equal(copy.size, 15);
    assert.equal(copy.truncated, false);
  });

  it('may be cut between the bytes of one character', () => {
    const bytes = Buffer.from('👩‍💻');
    assert.equal(body([...bytes].map((byte) => Buffer.from([byte]))).text(), '👩‍💻');
  });

  it('keeps no more than its limit, counts on, and says so', () => {
    const copy = body(['12345', '67890', 'more'], { limit: 7 });
    assert.equal(copy.text(), '1234567');
    assert.equal(copy.size, 14);
    assert.equal(copy.truncated, true);
  });

  it('keeps nothing when it is not asked to', () => {
    const copy = body(['12345'], { limit: 0 });
    assert.equal(copy.text(), '');
    assert.equal(copy.size, 5);
  });

  it('grows after it has been read', () => {
    const copy = body(['a']);
    assert.equal(copy.text(), 'a');
    copy.push(Buffer.from('b'));
    assert.equal(copy.text(), 'ab');
  });

  it('is decoded, also where it was cut short', () => {
    const text = Array.from({ length: 2_000 }, (_, i) => `line ${i * 7919}`).join('\n');
    for (const [encoding, wire] of [
      ['gzip', zlib.gzipSync(text)],
      ['X-GZIP', zlib.gzipSync(text)],
      ['deflate', zlib.deflateSync(text)],
      ['deflate', zlib.deflateRawSync(text)],
      ['br', zlib.brotliCompressSync(text)],
      ['gzip, br', zlib.brotliCompressSync(zlib.gzipSync(text))],
      ['identity', Buffer.from(text)],
    ] as const) {
      assert.equal(body([wire], { encoding, limit: 100_000 }).text(), text, encoding);
      const cut = body([wire.subarray(0, wire.length / 2)], { encoding, limit: 100_000 }).text();
      if (!encoding.includes(','))
        assert.ok(cut.length > 100 && text.startsWith(cut.slice(0, 100)), `${encoding}, cut`);
    }
  });

  it('is decoded from zstd', () => {
    // printf 'hello hello hello hello hello' | zstd
    const wire = Buffer.from('28b52ffd04586500003068656c6c6f200100a94b11874e200a', 'hex');
    assert.equal(body([wire], { encoding: 'zstd' }).text(), 'hello hello hello hello hello');
  });

  it('comes back as it is when it is not what its coding says, or in an unknown one', () => {
    assert.equal(body(['plain'], { encoding: 'gzip' }).text(), 'plain');
    assert.equal(body(['plain'], { encoding: 'rot13' }).text(), 'plain');
  });

  it('does not unpack into all of the memory', () => {
    const bomb = Buffer.alloc(80_000_000);
    // Its best takes seconds.
    const quick = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } };
    for (const wire of [zlib.gzipSync(bomb), zlib.brotliCompressSync(bomb, quick)]) {
      const encoding = wire[0] === 0x1f ? 'gzip' : 'br';
      const copy = body([wire], { encoding, limit: 1_000_000 });
      assert.equal(copy.bytes().length, 0);
      assert.equal(copy.truncated, true);
    }
  });

  it('replaces bytes that are no UTF-8, and drops a byte order mark', () => {
    assert.equal(body([Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0xff])]).text(), 'a\ufffd');
  });

  it('takes what it is set to', () => {
    const copy = new BodyCopy(new Headers(), 10, (content) => copy.restart(content));
    copy.push(Buffer.from('old'));
    copy.set('new and longer than its limit');
    assert.equal(copy.text(), 'new and longer than its limit');
    assert.equal(copy.truncated, false);
  });
});
