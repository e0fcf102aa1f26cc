import type { Buffer } from 'node:buffer';
import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import { type Coding, codingsOf, isZlib } from './encoding.ts';
import { ZstdDecoder } from './zstd.ts';

/** So much may wait for one decoder, in bytes. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

/** Undoes a coding as the bytes come. */
interface Decoder {
  push(chunk: Uint8Array): void;
  /** There is no more. Resolves once all that there is has been given, also of a body that is cut or wrong. */
  end(): Promise<void>;
  /** Nothing more is wanted: what has been taken in could still unpack to much. */
  stop(): void;
}

/** What takes the content. */
interface Receiver {
  push(piece: Uint8Array): void;
  /** It would take too much memory or time: nothing more comes. */
  overflow(): void;
}

/**
 * Undoes a `Content-Encoding` while the body passes, where `decodeContent` wants it as a whole. It gives what it can of a
 * body that is cut, nothing of one that is not what its coding says, and one of an unknown coding as it is.
 */
export class StreamDecoder implements Decoder {
  /** The outermost first. */
  readonly #decoders: Decoder[] = [];
  readonly #first: Pick<Receiver, 'push'>;

  constructor(encoding: string | undefined, receiver: Receiver) {
    let to = receiver;
    for (const coding of codingsOf(encoding).reverse()) {
      const decoder = DECODERS[coding](to);
      this.#decoders.unshift(decoder);
      to = { push: (piece) => decoder.push(piece), overflow: () => receiver.overflow() };
    }
    this.#first = to;
  }

  push(chunk: Uint8Array): void {
    this.#first.push(chunk);
  }

  async end(): Promise<void> {
    for (const decoder of this.#decoders) await decoder.end();
  }

  stop(): void {
    for (const decoder of this.#decoders) decoder.stop();
  }
}

/** With a sync flush at the end, what is there of a cut stream comes out instead of an error. */
const SYNC_FLUSH = { finishFlush: zlib.constants.Z_SYNC_FLUSH };

const DECODERS: Record<Coding, (to: Receiver) => Decoder> = {
  gzip: (to) => byStream(zlib.createGunzip(SYNC_FLUSH), to),
  deflate,
  br: (to) => byStream(zlib.createBrotliDecompress({ finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH }), to),
  zstd,
};

function byStream(stream: Transform, to: Receiver): Decoder {
  stream.on('data', (piece: Buffer) => to.push(piece)).on('error', () => {});
  return {
    push(chunk) {
      if (stream.writableLength > MAX_WAITING_BYTES) to.overflow();
      else stream.write(chunk);
    },
    end: () => ended(stream),
    stop: () => void stream.destroy(),
  };
}

/** Its first byte says which format it is in. */
function deflate(to: Receiver): Decoder {
  let decoder: Decoder | undefined;
  const begun = (first: number) =>
    byStream(isZlib(first) ? zlib.createInflate(SYNC_FLUSH) : zlib.createInflateRaw(SYNC_FLUSH), to);
  return {
    push(chunk) {
      const [first] = chunk;
      if (first === undefined) return;
      decoder ??= begun(first);
      decoder.push(chunk);
    },
    end: async () => decoder?.end(),
    stop: () => decoder?.stop(),
  };
}

function zstd(to: Receiver): Decoder {
  let isOver = false;
  const decoder = new ZstdDecoder((piece) => {
    if (isOver) throw new Error('it was stopped');
    to.push(piece);
  });
  const attempt = (decode: () => void) => {
    if (isOver) return;
    try {
      decode();
    } catch (error) {
      isOver = true;
      if (error instanceof RangeError) to.overflow();
    }
  };
  return {
    push: (chunk) => attempt(() => decoder.push(chunk)),
    end: async () => attempt(() => decoder.end()),
    stop() {
      isOver = true;
    },
  };
}

function ended(stream: Transform): Promise<void> {
  return new Promise((resolve) => {
    // It has come to its end by itself if there is something behind what it decodes.
    if (stream.destroyed || stream.readableEnded) return resolve();
    stream
      .once('end', resolve)
      .once('close', resolve)
      .once('error', () => resolve());
    stream.end();
  });
}
