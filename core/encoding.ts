import { Buffer } from 'node:buffer';
import type { Transform } from 'node:stream';
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
  const applied = codings(encoding);
  if (applied.length > MAX_CODINGS) return { content, whole: true };
  for (const coding of applied.reverse()) {
    const decode = DECODERS[coding];
    if (decode === undefined || content.length === 0) return { content, whole: true };
    try {
      content = decode(content, limitBytes);
    } catch (error) {
      if (error instanceof RangeError) return { content: Buffer.alloc(0), whole: false };
      return { content, whole: true };
    }
  }
  return { content, whole: true };
}

/**
 * A stream that undoes one coding as the bytes come; undefined for those that Node cannot undo in pieces, and for
 * several in a row. It gives what there is of a body that is cut short.
 */
export function streamDecoder(coding: string): Transform | undefined {
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      return zlib.createGunzip({ finishFlush: zlib.constants.Z_SYNC_FLUSH });
    case 'br':
      return zlib.createBrotliDecompress({ finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH });
    default:
      return undefined;
  }
}

/** One is what is sent, two are possible. Hundreds would be there to keep us busy. */
const MAX_CODINGS = 4;

function codings(encoding: string | undefined): string[] {
  if (encoding === undefined) return [];
  return encoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
}

const DECODERS: Partial<Record<string, (wire: Buffer, limitBytes: number) => Buffer>> = {
  gzip: gunzip,
  'x-gzip': gunzip,
  deflate: (wire, limitBytes) =>
    (isZlib(wire) ? zlib.inflateSync : zlib.inflateRawSync)(wire, deflateOptions(limitBytes)),
  br: (wire, limitBytes) =>
    zlib.brotliDecompressSync(wire, {
      finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH,
      maxOutputLength: limitBytes,
    }),
  zstd: unzstd,
};

function gunzip(wire: Buffer, limitBytes: number): Buffer {
  return zlib.gunzipSync(wire, deflateOptions(limitBytes));
}

/** With a sync flush at the end, what is there of a cut stream comes out instead of an error. */
function deflateOptions(limitBytes: number): zlib.ZlibOptions {
  return { finishFlush: zlib.constants.Z_SYNC_FLUSH, maxOutputLength: limitBytes };
}

/** "deflate" means the zlib format (RFC 9110, section 8.4.1.2), but some send it raw. */
function isZlib(wire: Buffer): boolean {
  return ((wire[0] as number) & 0x0f) === 8 && wire.length > 1 && wire.readUInt16BE(0) % 31 === 0;
}
