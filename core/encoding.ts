import { Buffer } from 'node:buffer';
import zlib from 'node:zlib';
import { unzstd } from './zstd.ts';

/**
 * Undoes a `Content-Encoding` (RFC 9110, section 8.4): gzip, deflate, br, zstd, and several of them in a row. A body
 * that is cut short decodes as far as it goes. Content of an unknown coding, or that is not what its coding says, comes
 * back as it is.
 *
 * @returns the content, and whether it is all there; an answer that would unpack to more than `limitBytes` comes back
 *   empty
 */
export function decodeContent(
  wire: Buffer,
  encoding: string | undefined,
  limitBytes: number,
): { content: Buffer; whole: boolean } {
  let content = wire;
  for (const coding of codingsOf(encoding)) {
    if (content.length === 0) break;
    try {
      content = DECODERS[coding](content, limitBytes);
    } catch (error) {
      if (error instanceof RangeError) return { content: Buffer.alloc(0), whole: false };
      break;
    }
  }
  return { content, whole: true };
}

/** A coding that is undone. */
export type Coding = 'gzip' | 'deflate' | 'br' | 'zstd';

/** One is what is sent, two are possible. Hundreds would be there to keep us busy. */
const MAX_CODINGS = 4;

/** The codings of a `Content-Encoding` that can be undone, the outermost first: from an unknown one on, none can. */
export function codingsOf(encoding: string | undefined): Coding[] {
  const applied = (encoding ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity')
    .map((name) => (name === 'x-gzip' ? 'gzip' : name))
    .reverse();
  if (applied.length > MAX_CODINGS) return [];
  const unknownAt = applied.findIndex((name) => !Object.hasOwn(DECODERS, name));
  return applied.slice(0, unknownAt === -1 ? undefined : unknownAt) as Coding[];
}

const DECODERS: Record<Coding, (wire: Buffer, limitBytes: number) => Buffer> = {
  gzip: (wire, limitBytes) => zlib.gunzipSync(wire, deflateOptions(limitBytes)),
  deflate: (wire, limitBytes) =>
    (isZlib(wire[0] as number) ? zlib.inflateSync : zlib.inflateRawSync)(wire, deflateOptions(limitBytes)),
  br: (wire, limitBytes) =>
    zlib.brotliDecompressSync(wire, {
      finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH,
      maxOutputLength: limitBytes,
    }),
  zstd: unzstd,
};

/** With a sync flush at the end, what is there of a cut stream comes out instead of an error. */
function deflateOptions(limitBytes: number): zlib.ZlibOptions {
  return { finishFlush: zlib.constants.Z_SYNC_FLUSH, maxOutputLength: limitBytes };
}

/**
 * "deflate" means the zlib format (RFC 9110, section 8.4.1.2), but some send it raw. The first byte tells: the method of
 * zlib is 8 (RFC 1950, section 2.2), and no raw deflate begins so, whose padding is of zeros.
 */
export function isZlib(firstByte: number): boolean {
  return (firstByte & 0x0f) === 8;
}
