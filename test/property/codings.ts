/** Codings of bodies, for property tests: those that are undone. */
import zlib from 'node:zlib';

/** Node 20 makes no zstd: a frame of blocks that are not compressed (RFC 8878, section 3.1.1). */
export function zstdStored(bytes: Buffer): Buffer {
  const MAX_BLOCK_BYTES = 1_000;
  const blocks: Buffer[] = [];
  for (let start = 0; start === 0 || start < bytes.length; start += MAX_BLOCK_BYTES) {
    const block = bytes.subarray(start, start + MAX_BLOCK_BYTES);
    const isLast = start + MAX_BLOCK_BYTES >= bytes.length;
    const head = Buffer.alloc(3);
    head.writeUIntLE((block.length << 3) | (isLast ? 1 : 0), 0, 3);
    blocks.push(head, block);
  }
  // The magic number, no checksum and no content size, a window of 1 KiB.
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x00]), ...blocks]);
}

export const ENCODERS = {
  gzip: zlib.gzipSync,
  'x-gzip': zlib.gzipSync,
  deflate: zlib.deflateSync,
  br: (bytes: Buffer) => zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }),
  identity: (bytes: Buffer) => bytes,
};
export type Coding = keyof typeof ENCODERS;
/** The bytes on the wire after these codings, the last of them outermost. */
export function encode(bytes: Buffer, applied: readonly Coding[]): Buffer {
  return applied.reduce((inner, each) => ENCODERS[each](inner), bytes);
}
