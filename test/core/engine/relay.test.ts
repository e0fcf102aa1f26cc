import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
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
});
