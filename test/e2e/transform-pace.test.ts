import assert from 'node:assert/strict';
import { once } from 'node:events';
import type http from 'node:http';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSession, openTunnel, requestHttp1 } from '../clients.ts';
import { leadingTo, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { mib } from '../process-stats.ts';
import { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { configOf } from '../tagging.ts';

const BODY_BYTES = 24 * 1024 ** 2;
const PIECE = Buffer.alloc(64 * 1024);
/** What is on its way when nobody reads: all of it is with the system, and in windows of HTTP/2. */
const ON_ITS_WAY_BYTES = 16 * 1024 ** 2;
/** When a sender gets rid of nothing for so long, it is held up. */
const HELD_UP_MS = 500;

/** Makes two chunks of each, after a moment, in both directions. */
const HALVES = `
  const halve = async (chunk, last) => {
    await null;
    const middle = chunk.length >> 1;
    return last ? undefined : [chunk.subarray(0, middle), chunk.subarray(middle)];
  };
  export const requestHeaders = (flow) => flow.request.transform(halve);
  export const responseHeaders = (flow) => flow.response.transform(halve);
`;

describe('a body that an addon transforms', () => {
  let upstream: OwnUpstream;
  let proxy: ProxyProcess;
  let serve: (request: http.IncomingMessage, response: http.ServerResponse) => void;
  before(async () => {
    upstream = await startOwnUpstream((...exchange) => serve(...exchange), undefined, 'h2');
    const { args, files } = leadingTo(upstream);
    proxy = await ProxyProcess.start({
      args,
      config: configOf(`'halves.ts'`),
      files: { ...files, 'halves.ts': HALVES },
    });
  });
  after(async () => {
    await proxy?.stop();
    await upstream?.close();
  });

  /** Opens a request; returns where to write its body, and its answer. */
  const VERSIONS = {
    async 'HTTP/1.1'(method: string) {
      const tunnel = await openTunnel(proxy, 'alice', API_HOST);
      const request = requestHttp1(tunnel, { ':method': method });
      const answer = once(request, 'response').then(([response]) => response as Readable);
      return { sink: request as Writable, answer, close: () => tunnel.destroy() };
    },
    async 'HTTP/2'(method: string) {
      const session = await openSession(proxy, 'alice', API_HOST);
      const stream = session.request({ ':method': method }, { endStream: false });
      const answer = once(stream, 'response').then(() => stream as Readable);
      return { sink: stream as Writable, answer, close: () => session.destroy() };
    },
  };

  for (const [version, open] of Object.entries(VERSIONS)) {
    it(`is taken from a server no faster than its client reads, over ${version}`, async () => {
      let sender: Sender | undefined;
      serve = (request, response) => {
        request.resume();
        sender = new Sender(response);
      };
      const { sink, answer, close } = await open('POST');
      sink.end();
      const body = await answer;
      await (sender as unknown as Sender).isHeldUp();
      assert.equal(await countBytes(body), BODY_BYTES);
      close();
    });

    it(`is taken from a client no faster than its server reads, over ${version}`, async () => {
      let begin = () => {};
      const begun = new Promise<void>((resolve) => {
        begin = resolve;
      });
      serve = async (request, response) => {
        await begun;
        response.end(String(await countBytes(request)));
      };
      const { sink, answer, close } = await open('POST');
      await new Sender(sink).isHeldUp();
      begin();
      assert.equal(Number(await text(await answer)), BODY_BYTES);
      close();
    });
  }
});

/** Sends a body as fast as it is taken. */
class Sender {
  #sentBytes = 0;

  constructor(sink: Writable) {
    void this.#send(sink);
  }

  async #send(sink: Writable): Promise<void> {
    while (this.#sentBytes < BODY_BYTES) {
      if (!sink.write(PIECE)) await once(sink, 'drain');
      this.#sentBytes += PIECE.length;
    }
    sink.end();
  }

  async isHeldUp(): Promise<void> {
    for (let before = -1; before !== this.#sentBytes; ) {
      before = this.#sentBytes;
      await sleep(HELD_UP_MS);
    }
    assert.ok(this.#sentBytes < ON_ITS_WAY_BYTES, `${mib(this.#sentBytes)} of ${mib(BODY_BYTES)} were taken`);
  }
}

async function countBytes(source: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of source) bytes += (chunk as Buffer).length;
  return bytes;
}
