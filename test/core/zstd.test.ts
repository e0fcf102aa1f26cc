import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unzstd, ZstdDecoder } from '../../core/zstd.ts';

const LIMIT_BYTES = 64 * 1024 * 1024;
const frame = (windowByte: number, ...blocks: readonly Buffer[]) =>
  Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, windowByte]), ...blocks]);
const many = (count: number, block: Buffer) => Buffer.concat(Array<Buffer>(count).fill(block));
/** One byte, so many times. */
const rle = (times: number, isLast = false) => {
  const block = Buffer.alloc(4, 'x');
  block.writeUIntLE((times << 3) | 2 | Number(isLast), 0, 3);
  return block;
};

describe('zstd', () => {
  it('is decoded, however short', () => {
    assert.equal(unzstd(Buffer.from('28b52ffd00583900007b2261223a317d', 'hex'), LIMIT_BYTES).toString(), '{"a":1}');
  });

  it('is decoded as far as it goes when it is cut', () => {
    const whole = frame(0x58, rle(10), rle(20), rle(30, true));
    assert.equal(unzstd(whole, LIMIT_BYTES).length, 60);
    for (let cut = 0; cut < whole.length; cut++) {
      const decoded = unzstd(whole.subarray(0, cut), LIMIT_BYTES).toString();
      assert.ok('x'.repeat(60).startsWith(decoded), `${cut} ${decoded}`);
    }
  });

  it('is decoded over several frames, with some to be skipped', () => {
    const skipped = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    const wire = Buffer.concat([frame(0x58, rle(5, true)), skipped, frame(0x58, rle(7, true))]);
    assert.equal(unzstd(wire, LIMIT_BYTES).length, 12);
  });

  it('is decoded block by block, as its bytes come', () => {
    const come: number[] = [];
    let total = 0;
    const decoder = new ZstdDecoder((piece) => {
      total += piece.length;
    });
    for (const byte of frame(0x58, rle(10), rle(20), rle(30), rle(40, true))) {
      decoder.push(Buffer.of(byte));
      come.push(total);
    }
    // Nothing is decoded before there are 18 bytes.
    assert.deepEqual([...new Set(come)], [0, 10 + 20 + 30, 100]);
    decoder.end();
    assert.equal(total, 100);
  });

  it('takes no memory for a window of which the head is cut', () => {
    const sizeOf2GiB = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0]);
    const before = process.memoryUsage().arrayBuffers;
    for (let cut = 0; cut < sizeOf2GiB.length; cut++)
      assert.equal(unzstd(sizeOf2GiB.subarray(0, cut), LIMIT_BYTES).length, 0);
    assert.throws(() => unzstd(sizeOf2GiB, LIMIT_BYTES), RangeError);
    assert.throws(() => unzstd(frame(0xa0), LIMIT_BYTES), RangeError);
    assert.ok(process.memoryUsage().arrayBuffers - before < 1024 * 1024);
  });

  for (const [what, wire] of [
    ['a window of 1 GiB', frame(0xa0, many(20, rle(1)))],
    ['such a window in a later frame', Buffer.concat([frame(0x58, rle(5, true)), frame(0xa0, rle(1, true))])],
    ['blocks without end in the largest window', frame(0x68, many(300_000, rle(1)))],
    ['more than it may unpack to', frame(0x58, many(600, rle(128 * 1024)))],
  ] as const) {
    it(`is refused, soon, with ${what}`, () => {
      const began = performance.now();
      assert.throws(() => unzstd(wire, LIMIT_BYTES), RangeError);
      assert.ok(performance.now() - began < 5_000);
    });
  }
});
