import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import type { ChunkTransform } from '../../core/addon.ts';
import { collectBody, relayBody, type Sink, transformHeld } from '../../core/engine/relay.ts';
import { HttpResponse } from '../../core/flow.ts';
import { Headers } from '../../core/headers.ts';
import { chunked, content, cuts } from './arbitraries.ts';

const LIMIT = 1024 * 1024;

/** What a transform does to a body; on bytes one by one, so that it does not matter how they were cut. */
interface Deed {
  readonly of: (bytes: Buffer) => Buffer;
  readonly transform: (calls: Calls) => ChunkTransform;
}

/** What was asked of a transform. */
interface Calls {
  last: number;
  afterLast: number;
}

/** Counts calls; says afterwards whether there was one last. */
function counted(calls: Calls, fn: ChunkTransform): ChunkTransform {
  return (chunk, last) => {
    if (calls.last > 0) calls.afterLast += 1;
    if (last) calls.last += 1;
    return fn(chunk, last);
  };
}

const identity: Deed = { of: (bytes) => bytes, transform: (calls) => counted(calls, (chunk) => chunk) };

/** Each chunk after some turns of the event loop, the first ones the latest. */
const identityLater = fc.array(fc.nat(3), { maxLength: 5 }).map((turns): Deed => {
  return {
    of: (bytes) => bytes,
    transform: (calls) => {
      let i = 0;
      return counted(calls, async (chunk) => {
        for (let left = turns[i++] ?? 0; left > 0; left--) await turn();
        return [chunk];
      });
    },
  };
});

const shifted = fc.nat(255).map((by): Deed => {
  const of = (bytes: Uint8Array) => Buffer.from(bytes.map((byte) => byte + by));
  return { of, transform: (calls) => counted(calls, of) };
});

/** Each byte as a piece of its own, twice. */
const doubled: Deed = {
  of: (bytes) => Buffer.from([...bytes].flatMap((byte) => [byte, byte])),
  transform: (calls) =>
    counted(calls, (chunk) => [...chunk].flatMap((byte) => [Buffer.from([byte]), Buffer.from([byte])])),
};

/** Nothing until the last call; then all of it, and a word. */
const heldBack: Deed = {
  of: (bytes) => Buffer.concat([bytes, Buffer.from('é')]),
  transform: (calls) => {
    const held: Uint8Array[] = [];
    return counted(calls, (chunk, last) => {
      held.push(Buffer.from(chunk));
      return last ? [Buffer.concat(held), '', 'é'] : undefined;
    });
  },
};

const swallowed: Deed = { of: () => Buffer.alloc(0), transform: (calls) => counted(calls, () => []) };

const deeds = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.constant(identity) },
    { weight: 2, arbitrary: identityLater },
    { weight: 2, arbitrary: shifted },
    { weight: 2, arbitrary: fc.constantFrom(doubled, heldBack) },
    { weight: 1, arbitrary: fc.constant(swallowed) },
  ),
  { maxLength: 3 },
);

const expectedOf = (bytes: Buffer, all: readonly Deed[]) => all.reduce((before, { of }) => of(before), bytes);

/** A message with these transforms, and what was asked of each. */
function messageWith(all: readonly Deed[]): { message: HttpResponse; calls: Calls[] } {
  const head = { status: 200, statusText: '', headers: new Headers(), httpVersion: '1.1' } as const;
  const message = new HttpResponse(head, LIMIT);
  const calls = all.map(() => ({ last: 0, afterLast: 0 }));
  for (const [i, { transform }] of all.entries()) message.transform(transform(calls[i] as Calls));
  return { message, calls };
}

/** A body on its way: its chunks come at once, or one in each turn of the event loop. */
function sourceOf(chunks: readonly Buffer[], atOnce: boolean): Readable {
  const left = [...chunks];
  return new Readable({
    async read() {
      if (!atOnce) await turn();
      this.push(left.shift() ?? null);
    },
  });
}

/** A receiver that is full again and again, as `full` says of each write, and notes who writes all the same. */
class SlowSink extends EventEmitter implements Sink {
  readonly chunks: Uint8Array[] = [];
  writtenWhileFull = 0;
  readonly #full: readonly boolean[];
  #isFull = false;

  constructor(full: readonly boolean[]) {
    super();
    this.#full = full;
  }

  write(chunk: Uint8Array): boolean {
    if (this.#isFull) this.writtenWhileFull += 1;
    this.chunks.push(Buffer.from(chunk));
    this.#isFull = this.#full[this.chunks.length % Math.max(1, this.#full.length)] ?? false;
    if (this.#isFull) {
      setImmediate(() => {
        this.#isFull = false;
        this.emit('drain');
      });
    }
    return !this.#isFull;
  }
}

/** Passes a body on, and ends its receiver with what is left of it. */
async function relayed(source: Readable, sink: SlowSink, message: HttpResponse, firstByte?: () => void): Promise<void> {
  const rest = await relayBody(source, sink, message, firstByte);
  if (rest !== undefined) sink.chunks.push(rest);
}

const full = fc.array(fc.boolean(), { maxLength: 5 });

describe('a relayed body', () => {
  it('arrives as it was sent, or as its transforms make it one after the other', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, fc.boolean(), deeds, full, async (bytes, at, atOnce, all, fullness) => {
        const { message } = messageWith(all);
        const sink = new SlowSink(fullness);
        await relayed(sourceOf(chunked(bytes, at), atOnce), sink, message);
        const expected = expectedOf(bytes, all);
        assert.deepEqual(Buffer.concat(sink.chunks), expected);
        assert.deepEqual(message.body.raw(), expected);
        assert.ok(sink.chunks.every(({ length }) => length > 0));
      }),
    );
  });

  it('waits for a receiver that is full', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, deeds, full, async (bytes, at, all, fullness) => {
        const sink = new SlowSink(fullness);
        await relayed(sourceOf(chunked(bytes, at), true), sink, messageWith(all).message);
        assert.equal(sink.writtenWhileFull, 0);
      }),
    );
  });

  it('leaves no listener behind on its receiver', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, deeds, full, async (bytes, at, all, fullness) => {
        const sink = new SlowSink(fullness);
        await relayed(sourceOf(chunked(bytes, at), true), sink, messageWith(all).message);
        assert.deepEqual([sink.listenerCount('drain'), sink.listenerCount('close')], [0, 0]);
      }),
    );
  });

  it('has its first byte told once, and not at all when there is none', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, deeds, async (bytes, at, all) => {
        let told = 0;
        const source = sourceOf(chunked(bytes, at), false);
        await relayed(source, new SlowSink([]), messageWith(all).message, () => void told++);
        assert.equal(told, bytes.length > 0 ? 1 : 0);
      }),
    );
  });
});

describe('transforms', () => {
  it('are called for the last time exactly once each, and never again', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, fc.boolean(), deeds, async (bytes, at, atOnce, all) => {
        const { message, calls } = messageWith(all);
        await relayed(sourceOf(chunked(bytes, at), atOnce), new SlowSink([]), message);
        assert.deepEqual(
          calls,
          all.map(() => ({ last: 1, afterLast: 0 })),
        );
      }),
    );
  });

  it('make the same of a body that is collected, or is here already, as of one that is relayed', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, fc.boolean(), deeds, async (bytes, at, atOnce, all) => {
        const expected = expectedOf(bytes, all);
        const collected = messageWith(all).message;
        const source = sourceOf(chunked(bytes, at), atOnce);
        assert.deepEqual(await collectBody(source, collected, 'response', LIMIT), expected);
        const here = messageWith(all).message;
        here.content = bytes;
        await transformHeld(here);
        assert.deepEqual(here.content, expected);
      }),
    );
  });
});

describe('a collected body', () => {
  it('is refused exactly when it is larger than its limit', async () => {
    await fc.assert(
      fc.asyncProperty(content, cuts, deeds, fc.nat(2_000), async (bytes, at, all, limit) => {
        const collected = collectBody(sourceOf(chunked(bytes, at), true), messageWith(all).message, 'request', limit);
        const expected = expectedOf(bytes, all);
        if (expected.length <= limit) assert.deepEqual(await collected, expected);
        else await assert.rejects(collected, { code: 'bodyTooLarge' });
      }),
    );
  });
});
