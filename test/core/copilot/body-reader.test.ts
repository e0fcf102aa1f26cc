import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import zlib from 'node:zlib';
import { BodyReader } from '../../../core/copilot/body-reader.ts';
import { Headers } from '../../../core/headers.ts';
import { events } from '../../exchanges.ts';
import { zstdStored } from '../../property/codings.ts';
import { eventually } from '../../proxy-process.ts';

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

const BROTLI = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } };

function brotli(content: Buffer): Buffer {
  return zlib.brotliCompressSync(content, BROTLI);
}

interface Coder {
  readonly coding: string;
  encode(content: Buffer): Buffer;
}

const CODERS: Readonly<Record<string, Coder>> = {
  'not coded': { coding: 'identity', encode: (content) => content },
  gzip: { coding: 'gzip', encode: (content) => zlib.gzipSync(content, { level: 1 }) },
  br: { coding: 'br', encode: brotli },
  'deflate in the format of zlib': {
    coding: 'deflate',
    encode: (content) => zlib.deflateSync(content, { level: 1 }),
  },
  'raw deflate': { coding: 'deflate', encode: (content) => zlib.deflateRawSync(content, { level: 1 }) },
  zstd: { coding: 'zstd', encode: zstdStored },
  'gzip in br': { coding: 'gzip, br', encode: (content) => brotli(zlib.gzipSync(content, { level: 1 })) },
  'zstd in deflate in gzip': {
    coding: 'zstd, deflate, gzip',
    encode: (content) => zlib.gzipSync(zlib.deflateSync(zstdStored(content), { level: 1 }), { level: 1 }),
  },
};

/** 100 MiB, a byte for each block of 128 KiB (RFC 8878, section 3.1.1.2.2). */
const zstdBomb = Buffer.concat([
  Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]),
  ...Array<Buffer>(800).fill(Buffer.from([0x02, 0x00, 0x10, 0x1f])),
]);

function* chunksOf(wire: Buffer): Generator<Buffer> {
  for (let at = 0; at < wire.length; at += 65_536) yield wire.subarray(at, at + 65_536);
}

/** One by one. */
function bytesOf(body: string | Buffer): Buffer[] {
  return [...Buffer.from(body)].map((byte) => Buffer.of(byte));
}

describe('a body over what is kept', () => {
  for (const [name, { coding, encode }] of Object.entries(CODERS))
    it(`is read to its last event, ${name}, and kept no further`, async () => {
      let last: unknown;
      const wire = chunksOf(encode(Buffer.concat([...longStream(24 * MIB)])));
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
    ['zstd', zstdBomb],
    ['zstd, gzip', zlib.gzipSync(zstdBomb)],
    ['gzip, zstd', zstdBomb],
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

describe('an event of a stream', () => {
  for (const [name, flushed] of [
    ['gzip', () => zlib.createGzip()],
    ['br', () => zlib.createBrotliCompress(BROTLI)],
    ['deflate', () => zlib.createDeflate()],
    ['deflate, raw', () => zlib.createDeflateRaw()],
  ] as const)
    it(`is read when it is here, and not at the end: ${name}`, async () => {
      const [coding = ''] = name.split(',');
      const encoder = flushed();
      await comesByItself(coding, async (event) => {
        encoder.write(event);
        await new Promise<void>((done) => encoder.flush(() => done()));
        return encoder.read() as Buffer;
      });
    });

  it('is read when it is here, and not at the end: gzip in br', async () => {
    const inner = zlib.createGzip();
    const outer = zlib.createBrotliCompress(BROTLI);
    await comesByItself('gzip, br', async (event) => {
      inner.write(event);
      await new Promise<void>((done) => inner.flush(() => done()));
      outer.write(inner.read());
      await new Promise<void>((done) => outer.flush(() => done()));
      return outer.read() as Buffer;
    });
  });

  it('is read when it is here, and not at the end: zstd', async () => {
    await comesByItself('zstd', async (event) => zstdStored(Buffer.from(event)));
  });

  async function comesByItself(coding: string, encode: (event: string) => Promise<Buffer>): Promise<void> {
    const come: unknown[] = [];
    const reader = new BodyReader(new Headers([['content-encoding', coding]]), (event) => come.push(event));
    const told = [{ token: 'the first' }, { token: 'the second' }, { token: 'the third' }];
    for (const [i, event] of told.entries()) {
      reader.push(await encode(events(event)));
      await eventually(`event ${i + 1}`, () => come.length > i);
      assert.deepEqual(come, told.slice(0, i + 1));
    }
    await reader.end();
  }
});

describe('a body', () => {
  for (const [name, wire] of [
    ['gzip', zlib.gzipSync('{"a":1}')],
    ['br', brotli(Buffer.from('{"a":1}'))],
    ['deflate', zlib.deflateSync('{"a":1}')],
  ] as const)
    it(`is read to its end although something is behind it: ${name}`, async () => {
      const reader = await read([wire, Buffer.of(0), Buffer.from('more')], { 'content-encoding': name });
      assert.deepEqual(reader.content, { a: 1 });
    });

  it('is read as it is when nobody knows its coding', async () => {
    for (const coding of ['aws-chunked', 'gzip, unknown', 'gzip, gzip, gzip, gzip, gzip'])
      assert.deepEqual((await read([Buffer.from('{"a":1}')], { 'content-encoding': coding })).content, { a: 1 });
    const inner = await read([zlib.gzipSync('{"a":1}')], { 'content-encoding': 'unknown, gzip' });
    assert.deepEqual(inner.content, { a: 1 });
  });

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
