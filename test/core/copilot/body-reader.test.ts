import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import zlib from 'node:zlib';
import { BodyReader } from '../../../core/copilot/body-reader.ts';
import { Headers } from '../../../core/headers.ts';
import { events } from '../../exchanges.ts';

const MIB = 1024 * 1024;

async function read(
  wire: Iterable<Uint8Array>,
  headers: Record<string, string> = {},
  onEvent?: (event: unknown) => void,
) {
  const reader = new BodyReader(new Headers(Object.entries(headers)), onEvent);
  for (const chunk of wire) {
    reader.push(chunk);
    // As long as its decoder is busy elsewhere.
    await turn();
  }
  await reader.end();
  return reader;
}

/** A stream of so many bytes and more, with something of importance at its end. */
function* longStream(bytes: number): Generator<Buffer> {
  const piece = Buffer.from(events({ x: 'y'.repeat(200) }).repeat(300));
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
  yield Buffer.from(events({ last: true }));
}

const CODERS = { gzip: zlib.gzipSync, br: brotli, deflate: zlib.deflateSync };

function brotli(content: Buffer): Buffer {
  return zlib.brotliCompressSync(content, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } });
}

function* chunksOf(wire: Buffer): Generator<Buffer> {
  for (let at = 0; at < wire.length; at += 65_536) yield wire.subarray(at, at + 65_536);
}

/** One by one. */
function bytesOf(body: string | Buffer): Buffer[] {
  return [...Buffer.from(body)].map((byte) => Buffer.of(byte));
}

describe('a body over what is kept', () => {
  for (const coding of ['identity', 'gzip', 'br', 'deflate'] as const)
    it(`is read to its last event as ${coding}, and kept no further`, async () => {
      let last: unknown;
      const plain = longStream(24 * MIB);
      const wire = coding === 'identity' ? plain : chunksOf(CODERS[coding](Buffer.concat([...plain])));
      const reader = await read(wire, { 'content-encoding': coding }, (event) => {
        last = event;
      });
      assert.deepEqual(last, { last: true });
      assert.equal(reader.truncated, true);
      const kept = (reader.content as unknown[]).length;
      assert.ok(kept > 10_000 && kept < (8 * MIB) / 200, `${kept} events`);
    });

  it('is read to its last event over what a body may decode to', async () => {
    let last: unknown;
    const reader = await read(longStream(70 * MIB), {}, (event) => {
      last = event;
    });
    assert.deepEqual([last, reader.truncated], [{ last: true }, true]);
  });

  it('is not kept at all if it is no stream', async () => {
    const reader = await read(Array<Buffer>(9).fill(Buffer.alloc(MIB, ' ')));
    assert.deepEqual([reader.truncated, reader.content, reader.isStream], [true, undefined, false]);
  });

  for (const [coding, bomb] of [
    ['gzip', zlib.gzipSync(Buffer.alloc(100 * MIB))],
    ['br', brotli(Buffer.alloc(100 * MIB))],
    ['deflate', zlib.deflateSync(Buffer.alloc(100 * MIB))],
    ['gzip, gzip', zlib.gzipSync(zlib.gzipSync(Buffer.alloc(100 * MIB)))],
  ] as const)
    it(`is not unpacked without end as ${coding}`, async () => {
      const reader = await read([bomb], { 'content-encoding': coding });
      assert.deepEqual([reader.truncated, reader.content], [true, undefined]);
    });

  it('has no room for very many events with nothing in them', async () => {
    const reader = await read(Array<Buffer>(16).fill(Buffer.from('data:{}\n\n'.repeat(100_000))), {}, () => {});
    assert.equal(reader.truncated, true);
    assert.ok((reader.content as unknown[]).length < 300_000);
  });
});

describe('a body', () => {
  it('is read as a stream by its beginning, in however small pieces that comes', async () => {
    for (const body of [
      `${' '.repeat(40)}data: 1\n\n`,
      '\n'.repeat(40) + events({ a: 1 }),
      '\n\n\ndata: {"a": 1}\n\n',
    ]) {
      const whole = await read([Buffer.from(body)], {}, () => {});
      const pieces = await read(bytesOf(body), {}, () => {});
      assert.deepEqual([pieces.isStream, pieces.content], [whole.isStream, whole.content]);
    }
  });

  it('is no stream if nobody takes its events', async () => {
    const reader = await read([Buffer.from('data: {"a": 1}\n\n')]);
    assert.deepEqual([reader.isStream, reader.content], [false, 'data: {"a": 1}\n\n']);
  });

  it('has what is not UTF-8 replaced, and characters whole that were cut', async () => {
    const bytes = Buffer.concat([Buffer.from('{"a": "👩‍💻'), Buffer.of(0xff, 0xc3), Buffer.from('"}')]);
    const reader = await read(bytesOf(bytes));
    assert.deepEqual(reader.content, { a: '👩‍💻\ufffd\ufffd' });
  });

  it('says at its end what went wrong with its events, and not to those who push', async () => {
    const reader = new BodyReader(new Headers([]), () => {
      throw new Error('oh no');
    });
    reader.push(Buffer.from(events({ a: 1 }, { a: 2 })));
    reader.push(Buffer.from(events({ a: 3 })));
    await assert.rejects(reader.end(), /oh no/);
  });
});
