import { Buffer } from 'node:buffer';
import { Decompress, ZstdErrorCode } from 'fzstd';

/** What a decoder of this coding has to keep of what it has decoded, at most (RFC 9659). */
const MAX_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024;
/** fzstd moves its window for each block, however small: tiny blocks could keep it busy for minutes. */
const MAX_ZSTD_TIME_MS = 1_000;

/**
 * Decodes zstd (RFC 8878), as far as it goes; Node has it only from 22.15 on.
 *
 * @throws RangeError when it would take too much memory or time; fzstd's error when it is no zstd
 */
export function unzstd(wire: Buffer, limitBytes: number): Buffer {
  if (zstdWindows(wire).some((bytes) => bytes > MAX_ZSTD_WINDOW_BYTES))
    throw new RangeError('asks for too much memory');
  const pieces: Uint8Array[] = [];
  const endMs = performance.now() + MAX_ZSTD_TIME_MS;
  let total = 0;
  const decoder = new Decompress((piece) => {
    total += piece.length;
    if (total > limitBytes || performance.now() > endMs) throw new RangeError('decodes to too much');
    pieces.push(piece);
  });
  try {
    decoder.push(wire, true);
  } catch (error) {
    if ((error as { code?: unknown }).code !== ZstdErrorCode.UnexpectedEOF) throw error;
  }
  return Buffer.concat(pieces);
}

const ZSTD_MAGIC = 0xfd2fb528;
const ZSTD_SKIPPABLE_MAGIC = 0x184d2a50;
const RLE_BLOCK = 1;

/** The window of each frame, read from the heads of frames and blocks (RFC 8878, sections 3.1.1 and 3.1.2). */
function zstdWindows(wire: Buffer): number[] {
  const windows: number[] = [];
  for (let at = 0; at + 5 < wire.length; ) {
    const magic = wire.readUInt32LE(at);
    if (magic >>> 4 === ZSTD_SKIPPABLE_MAGIC >>> 4 && at + 8 <= wire.length) {
      at += 8 + wire.readUInt32LE(at + 4);
      continue;
    }
    if (magic !== ZSTD_MAGIC) break;
    const descriptor = wire[at + 4] as number;
    const isSingleSegment = (descriptor & 0x20) !== 0;
    const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
    const sizeAt = at + 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
    if (sizeAt + sizeBytes > wire.length) break;
    windows.push(isSingleSegment ? contentSize(wire, sizeAt, sizeBytes) : windowSize(wire[at + 5] as number));
    at = afterBlocks(wire, sizeAt + sizeBytes) + ((descriptor & 4) !== 0 ? 4 : 0);
  }
  return windows;
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(wire: Buffer, at: number, bytes: number): number {
  if (bytes === 8) return Number(wire.readBigUInt64LE(at));
  return wire.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}

/** Where a frame's blocks end. */
function afterBlocks(wire: Buffer, start: number): number {
  let at = start;
  while (at + 3 <= wire.length) {
    const head = wire.readUIntLE(at, 3);
    const type = (head >> 1) & 3;
    at += 3 + (type === RLE_BLOCK ? 1 : head >> 3);
    if ((head & 1) === 1) break;
  }
  return at;
}
