import { Buffer } from 'node:buffer';
import { Decompress, ZstdErrorCode } from 'fzstd';

/** What a decoder of this coding has to keep of what it has decoded, at most (RFC 9659). */
const MAX_ZSTD_WINDOW_BYTES = 8 * 1024 * 1024;
/** fzstd moves its window for each block, however small: tiny blocks could keep it busy for minutes. */
const MAX_ZSTD_TIME_MS = 1_000;

/** Decodes zstd (RFC 8878) block by block, as it comes; Node has it only from 22.15 on. */
export class ZstdDecoder {
  readonly #heads = new FrameHeads();
  readonly #decoder: Decompress;
  #leftMs = MAX_ZSTD_TIME_MS;
  #endMs = 0;

  /** @param give given what each block decodes to. What it throws comes out of `push` and `end` */
  constructor(give: (piece: Uint8Array) => void) {
    this.#decoder = new Decompress((piece) => {
      const nowMs = performance.now();
      if (nowMs > this.#endMs) throw new RangeError('takes too much time');
      give(piece);
      this.#endMs += performance.now() - nowMs;
    });
  }

  /** @throws RangeError when it would take too much memory or time; fzstd's error when it is no zstd */
  push(chunk: Uint8Array): void {
    this.#heads.feed(chunk);
    this.#decode(chunk, false);
  }

  /** There is no more: gives what there is of the rest. @throws as `push` does */
  end(): void {
    // fzstd would guess a window from half a head.
    if (this.#heads.isCut) return;
    try {
      this.#decode(new Uint8Array(), true);
    } catch (error) {
      if ((error as { code?: unknown }).code !== ZstdErrorCode.UnexpectedEOF) throw error;
    }
  }

  #decode(chunk: Uint8Array, isLast: boolean): void {
    this.#endMs = performance.now() + this.#leftMs;
    this.#decoder.push(chunk, isLast);
    this.#leftMs = this.#endMs - performance.now();
  }
}

/**
 * Decodes zstd as a whole, as far as it goes.
 *
 * @throws RangeError when it would take too much memory or time; fzstd's error when it is no zstd
 */
export function unzstd(wire: Buffer, limitBytes: number): Buffer {
  const pieces: Uint8Array[] = [];
  let total = 0;
  const decoder = new ZstdDecoder((piece) => {
    total += piece.length;
    if (total > limitBytes) throw new RangeError('decodes to too much');
    pieces.push(piece);
  });
  decoder.push(wire);
  decoder.end();
  return Buffer.concat(pieces);
}

const ZSTD_MAGIC = 0xfd2fb528;
const ZSTD_SKIPPABLE_MAGIC = 0x184d2a50;
const RLE_BLOCK = 1;
const CHECKSUM_BYTES = 4;

/** What to do with the next bytes: read them, or pass them over. */
interface Step {
  readonly bytes: number;
  readonly isSkipped: boolean;
}

const read = (bytes: number): Step => ({ bytes, isSkipped: false });
const skip = (bytes: number): Step => ({ bytes, isSkipped: true });

/** Looks at the window of each frame before fzstd does, which would take the memory for it. */
class FrameHeads {
  /** What has come ends within a frame's head. */
  isCut = false;
  readonly #walk = this.#walkHeads();
  /** What the walk waits for; undefined when it is over. */
  #step = this.#walk.next().value;
  #held: Buffer = Buffer.alloc(0);

  /** @throws RangeError at a window that is too large */
  feed(chunk: Uint8Array): void {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    while (this.#step !== undefined && (rest.length > 0 || this.#step.bytes === 0)) {
      const { isSkipped, bytes } = this.#step;
      const part = rest.subarray(0, bytes - this.#held.length);
      rest = rest.subarray(part.length);
      if (isSkipped) this.#step = skip(bytes - part.length);
      else this.#held = Buffer.concat([this.#held, part]);
      if (this.#held.length < this.#step.bytes) continue;
      const whole = this.#held;
      this.#held = Buffer.alloc(0);
      this.#step = this.#walk.next(whole).value;
    }
  }

  /** Goes from head to head of frames and blocks (RFC 8878, sections 3.1.1 and 3.1.2); ends at what is no frame. */
  *#walkHeads(): Generator<Step, undefined, Buffer> {
    for (;;) {
      const magic = (yield read(4)).readUInt32LE();
      if (magic >>> 4 === ZSTD_SKIPPABLE_MAGIC >>> 4) {
        yield skip((yield read(4)).readUInt32LE());
        continue;
      }
      if (magic !== ZSTD_MAGIC) return undefined;
      this.isCut = true;
      const descriptor = (yield read(1)).readUInt8();
      const isSingleSegment = (descriptor & 0x20) !== 0;
      const window = isSingleSegment ? undefined : windowSize((yield read(1)).readUInt8());
      yield skip([0, 1, 2, 4][descriptor & 3] as number);
      const size = contentSize(yield read([isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number));
      if ((window ?? size) > MAX_ZSTD_WINDOW_BYTES) throw new RangeError('asks for too much memory');
      this.isCut = false;
      for (let isLast = false; !isLast; ) {
        const head = (yield read(3)).readUIntLE(0, 3);
        isLast = (head & 1) === 1;
        yield skip(((head >> 1) & 3) === RLE_BLOCK ? 1 : head >> 3);
      }
      if ((descriptor & 4) !== 0) yield skip(CHECKSUM_BYTES);
    }
  }
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}

function contentSize(field: Buffer): number {
  if (field.length === 0) return 0;
  if (field.length === 8) return Number(field.readBigUInt64LE());
  return field.readUIntLE(0, field.length) + (field.length === 2 ? 256 : 0);
}
