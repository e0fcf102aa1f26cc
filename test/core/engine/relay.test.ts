import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { relayBody } from '../../../core/engine/relay.ts';
import { HttpResponse } from '../../../core/flow.ts';
import { Headers } from '../../../core/headers.ts';

const message = (...transforms: HttpResponse['transforms']) => {
  const made = new HttpResponse({ status: 200, statusText: '', headers: new Headers(), httpVersion: '1.1' }, 0);
  made.transforms.push(...transforms);
  return made;
};
const closed = async () => {
  const stream = new PassThrough();
  stream.destroy();
  await once(stream, 'close');
  return stream;
};

describe('relaying a body', () => {
  for (const [how, transforms] of [
    ['as it is', []],
    ['through a transform', [(chunk: Uint8Array) => chunk]],
  ] as const) {
    it(`fails, ${how}, when its source had broken off before it began`, async () => {
      const source = await closed();
      await assert.rejects(relayBody(source, new PassThrough(), message(...transforms)), { side: 'source' });
    });

    it(`fails, ${how}, when its receiver was gone before it began`, async () => {
      const source = new PassThrough();
      source.write('x'.repeat(100_000));
      source.end();
      const sink = await closed();
      sink.on('error', () => {});
      await assert.rejects(relayBody(source, sink, message(...transforms)), { side: 'sink' });
    });
  }

  it('leaves the chunk that came along with the end to be ended with', async () => {
    const source = new Readable({ read() {} });
    const sink = new PassThrough();
    const relayed = relayBody(source, sink, message());
    // As by an event of a connection: promises have their turn after what Node still has to tell.
    setImmediate(() => {
      for (const piece of ['one', 'two', null]) source.push(piece);
    });
    assert.equal(String(await relayed), 'two');
    assert.equal(String(sink.read()), 'one');
  });

  it('writes a chunk at once with which no end has come', async () => {
    const source = new Readable({ read() {} });
    const sink = new PassThrough();
    const relayed = relayBody(source, sink, message());
    await turn();
    source.push('one');
    await turn();
    assert.equal(String(sink.read()), 'one');
    source.push(null);
    assert.equal(await relayed, undefined);
  });

  it('writes a chunk along with which its source broke off, and fails', async () => {
    const source = new Readable({ read() {} });
    const sink = new PassThrough();
    const relayed = relayBody(source, sink, message());
    await turn();
    source.push('one');
    source.destroy();
    await assert.rejects(relayed, { side: 'source' });
    assert.equal(String(sink.read()), 'one');
  });
});
