import { Buffer } from 'node:buffer';
import type { ClientHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import type { ChunkTransform, ChunkTransformResult } from '../addon.ts';
import { errors } from '../errors.ts';
import type { HttpMessage } from '../flow.ts';
import { passedOn } from './young-garbage.ts';

/** What a body is written to: an upstream request, or a client's response of HTTP/1 or 2. */
export interface Sink {
  write(chunk: Uint8Array): boolean;
  once(event: 'drain' | 'close', listener: () => void): unknown;
  off(event: 'drain' | 'close', listener: () => void): unknown;
  readonly destroyed?: boolean;
}

/** A body that could not be passed on whole: its source broke off, or its receiver is gone. */
export class BodyCut extends Error {
  override readonly name = 'BodyCut';
  constructor(
    readonly side: 'source' | 'sink',
    options?: ErrorOptions,
  ) {
    super(side === 'source' ? 'the body broke off' : 'the receiver of the body is gone', options);
  }
}

/**
 * Passes a body on chunk by chunk, at the pace of the slower side, through the message's transforms and into its copy.
 * It does not end the sink.
 *
 * @param firstByte is called when the first chunk is here
 * @returns when the source has ended: with what is left to write, for the sink to be ended with, if the end came along
 *   with it; rejects with `BodyCut`, or with what a transform threw
 */
export function relayBody(
  source: Readable,
  sink: Sink,
  message: HttpMessage,
  firstByte?: () => void,
): Promise<Uint8Array | undefined> {
  return message.transforms.length === 0
    ? pass(source, sink, message, firstByte)
    : passTransformed(source, sink, message, firstByte);
}

/** What is chained to it runs once Node has told all of what has just been read. */
const ALL_TOLD = Promise.resolve();

function pass(
  source: Readable,
  sink: Sink,
  message: HttpMessage,
  firstByte?: () => void,
): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    // What is closed already says so no more.
    if (isBrokenOff(source)) return reject(new BodyCut('source', { cause: source.errored }));
    if (sink.destroyed) return reject(new BodyCut('sink'));
    let first = true;
    // An end that follows on the last chunk leaves with it: on its own, it costs as much as a chunk does.
    let held: Buffer | undefined;
    let isFull = false;
    const onData = (chunk: Buffer) => {
      if (first) {
        first = false;
        firstByte?.();
      }
      message.body.push(chunk);
      passedOn(chunk.length);
      if (held === undefined) ALL_TOLD.then(writeHeld);
      else write(held);
      held = chunk;
    };
    const writeHeld = () => {
      if (held === undefined || isFull) return;
      const chunk = held;
      held = undefined;
      write(chunk);
    };
    const write = (chunk: Buffer) => {
      if (sink.write(chunk) || isFull) return;
      isFull = true;
      source.pause();
      sink.once('drain', onDrain);
    };
    const onDrain = () => {
      isFull = false;
      writeHeld();
      if (!isFull) source.resume();
    };
    const stop = () => {
      source.off('data', onData).off('end', onEnd).off('error', onCut).off('aborted', onAborted).off('close', onCut);
      sink.off('drain', onDrain);
      sink.off('close', onSinkClose);
    };
    const onEnd = () => {
      // A stream of HTTP/2 that was reset ends like any other.
      if (isBrokenOff(source)) return onCut();
      stop();
      const last = held;
      held = undefined;
      resolve(last);
    };
    const onAborted = () => {
      if (isBrokenOff(source)) onCut();
    };
    const onCut = (error?: Error) => {
      if (held !== undefined) write(held);
      held = undefined;
      stop();
      reject(new BodyCut('source', { cause: error }));
    };
    const onSinkClose = () => {
      held = undefined;
      stop();
      reject(new BodyCut('sink'));
    };
    source.on('data', onData).once('end', onEnd).once('error', onCut).once('aborted', onAborted).once('close', onCut);
    sink.once('close', onSinkClose);
  });
}

/** Whether a body is not, and will not be, here as a whole. */
function isBrokenOff(source: Readable): boolean {
  const { destroyed, readableEnded, aborted = false, rstCode } = source as Readable & Partial<ClientHttp2Stream>;
  // An answer's stream is `aborted`, too, when its server has sent it whole and wants no more of the request: then the
  // code is 0 (RFC 9113, section 8.1).
  return (destroyed && !readableEnded) || (rstCode === undefined ? aborted : rstCode !== 0);
}

async function passTransformed(
  source: Readable,
  sink: Sink,
  message: HttpMessage,
  firstByte?: () => void,
): Promise<undefined> {
  for await (const piece of transformed(source, message, firstByte)) {
    message.body.push(piece);
    passedOn(piece.length);
    if (!sink.write(piece)) await drained(sink);
  }
}

function drained(sink: Sink): Promise<void> {
  return new Promise((resolve, reject) => {
    if (sink.destroyed) return reject(new BodyCut('sink'));
    const onDrain = () => {
      sink.off('close', onClose);
      resolve();
    };
    const onClose = () => {
      sink.off('drain', onDrain);
      reject(new BodyCut('sink'));
    };
    sink.once('drain', onDrain);
    sink.once('close', onClose);
  });
}

/**
 * Reads a whole body into memory, through the message's transforms.
 *
 * @throws InsightError `bodyTooLarge`; `BodyCut`
 */
export async function collectBody(
  source: Readable,
  message: HttpMessage,
  kind: 'request' | 'response',
  limitBytes: number,
): Promise<Buffer> {
  message.body.limitBytes = limitBytes;
  for await (const piece of transformed(source, message)) {
    message.body.push(piece);
    if (message.body.truncated) throw errors.bodyTooLarge(kind, limitBytes);
  }
  return message.body.raw();
}

/** Takes a body that is here as a whole through the message's transforms. */
export async function transformHeld(message: HttpMessage): Promise<void> {
  if (message.transforms.length === 0 || message.content === undefined) return;
  const pieces: Uint8Array[] = [];
  for await (const piece of transformed(Readable.from([message.content]), message)) pieces.push(piece);
  message.rewrite(Buffer.concat(pieces));
}

/** A body as it leaves the last of the message's transforms. */
function transformed(source: Readable, message: HttpMessage, firstByte?: () => void): AsyncIterable<Uint8Array> {
  return message.transforms.reduce((chunks, fn) => through(fn, chunks), chunksOf(source, firstByte));
}

async function* through(fn: ChunkTransform, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield* piecesOf(await fn(chunk, false));
  yield* piecesOf(await fn(Buffer.alloc(0), true));
}

function* piecesOf(result: ChunkTransformResult): Generator<Uint8Array> {
  if (result === undefined) return;
  const list = typeof result === 'string' || result instanceof Uint8Array ? [result] : result;
  for (const piece of list) if (piece.length > 0) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
}

const CHANGES = ['readable', 'end', 'error', 'aborted', 'close'] as const;

/**
 * A stream's chunks. Unlike its own iterator, this leaves the stream alive when the reader stops early, and goes by
 * `isBrokenOff`: the other gives up an answer that is `aborted`, whole or not, while some of it is still to be read.
 */
async function* chunksOf(source: Readable, firstByte?: () => void): AsyncGenerator<Uint8Array> {
  let onChange = () => {};
  const changed = () => onChange();
  for (const event of CHANGES) source.on(event, changed);
  try {
    for (let first = true; ; ) {
      if (isBrokenOff(source)) throw new BodyCut('source', { cause: source.errored });
      const chunk: Uint8Array | null = source.read();
      if (chunk !== null) {
        if (first) firstByte?.();
        first = false;
        yield chunk;
      } else if (source.readableEnded) return;
      else
        await new Promise<void>((resolve) => {
          onChange = resolve;
        });
    }
  } finally {
    for (const event of CHANGES) source.off(event, changed);
  }
}
