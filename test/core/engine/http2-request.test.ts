import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { after, afterEach, before, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Http2Connection } from '../../../core/engine/http2-connection.ts';
import type { Http2Request } from '../../../core/engine/http2-request.ts';
import { relayBody } from '../../../core/engine/relay.ts';
import { HttpResponse } from '../../../core/flow.ts';
import { Headers } from '../../../core/headers.ts';
import { END_STREAM, FRAME, type FrameConnection, type FrameServer, startFrameServer } from '../../http2-frames.ts';
import { makeCredentials } from '../../own-upstream.ts';
import { eventually } from '../../proxy-process.ts';

/** RFC 9113, section 7. */
const NO_ERROR = 0;
const INTERNAL_ERROR = 2;

const LIMITS = { keepIdleMs: 60_000, probeIntervalMs: 15_000, probeLimitMs: 10_000 };
/** How long a server may be silent. */
const IDLE_TIMEOUT_MS = 300_000;

const HEAD = {
  target: { scheme: 'https', host: 'a.example', port: 443 },
  path: '/',
  headers: new Headers([['host', 'a.example']]),
  upgrades: false,
} as const;

type Serve = (stream: number, connection: FrameConnection) => void;

describe('an answer over HTTP/2 to which RST_STREAM NO_ERROR has put an end', () => {
  let serve: Serve;
  let server: FrameServer;
  before(async () => {
    server = await startFrameServer(await makeCredentials(), ({ type, stream, payload }, connection) => {
      if (type === FRAME.headers && payload.length > 0) serve(stream, connection);
    });
  });
  after(() => server.close());

  let connection: Http2Connection | undefined;
  afterEach(() => connection?.destroy());

  /** Opens a request, all of which is sent, or the beginning. */
  async function open(isSent: boolean): Promise<Http2Request> {
    connection = new Http2Connection(await server.connect(), LIMITS, () => {});
    const request = connection.request({ ...HEAD, method: isSent ? 'GET' : 'POST', hasBody: !isSent });
    if (isSent) request.end();
    else request.sink.write(Buffer.from('a beginning'));
    return request;
  }

  /** The body of the answer to a request, all of which was sent or not; read at once, or only when it is all here. */
  async function bodyOf(isSent: boolean, isReadLate: boolean): Promise<string> {
    const request = await open(isSent);
    const { body } = await request.answer();
    if (isReadLate) await new Promise((resolve) => setTimeout(resolve, 100));
    return Buffer.concat(await body.toArray()).toString();
  }

  const DATA = 'x'.repeat(10_000);
  const whole: readonly [what: string, expected: string, serve: Serve][] = [
    ['its head', '', (stream, to) => to.sendHead(stream, END_STREAM)],
    [
      'its body',
      DATA,
      (stream, to) => {
        to.sendHead(stream);
        to.sendData(stream, DATA, END_STREAM);
      },
    ],
    [
      'its trailers',
      DATA,
      (stream, to) => {
        to.sendHead(stream);
        to.sendData(stream, DATA);
        to.sendTrailers(stream);
      },
    ],
  ];
  const half: readonly [what: string, serve: Serve][] = [
    ['its head', (stream, to) => to.sendHead(stream)],
    [
      'half of its body',
      (stream, to) => {
        to.sendHead(stream);
        to.sendData(stream, DATA);
      },
    ],
  ];
  for (const [isSent, to] of [
    [true, 'a request that was sent'],
    [false, 'a request that was being sent'],
  ] as const) {
    for (const [isReadLate, when] of [
      [false, 'at once'],
      [true, 'late'],
    ] as const) {
      for (const [what, expected, send] of whole) {
        it(`is whole if it was ended by ${what}, to ${to}, read ${when}`, async () => {
          serve = (stream, connection) => {
            send(stream, connection);
            connection.reset(stream, NO_ERROR);
          };
          assert.equal(await bodyOf(isSent, isReadLate), expected);
        });
      }
      for (const [what, send] of half) {
        it(`has broken off if it came after ${what}, to ${to}, read ${when}`, async () => {
          serve = (stream, connection) => {
            send(stream, connection);
            setTimeout(() => connection.reset(stream, NO_ERROR), 30);
          };
          await assert.rejects(bodyOf(isSent, isReadLate), /before its answer had ended|Premature close/);
        });
      }
    }
  }

  it('is whole, though it is taken slowly and through a transform, and the request was being sent', async () => {
    serve = (stream, connection) => {
      connection.sendHead(stream);
      for (let i = 0; i < 10; i++) connection.sendData(stream, DATA);
      connection.sendData(stream, 'end', END_STREAM);
      setTimeout(() => connection.reset(stream, NO_ERROR), 30);
    };
    const request = await open(false);
    const { body, ...head } = await request.answer();
    const response = new HttpResponse(head, 0);
    response.transforms.push(async (chunk) => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      return chunk;
    });
    const sink = new PassThrough({ highWaterMark: 200_000 });
    await relayBody(body, sink, response);
    assert.equal(sink.readableLength, 10 * DATA.length + 3);
  });
});

describe('a request over HTTP/2 whose connection has gone before the answer', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  let serve: Serve;
  let server: FrameServer;
  before(async () => {
    server = await startFrameServer(await makeCredentials(), ({ type, stream }, connection) => {
      if (type === FRAME.headers) serve(stream, connection);
    });
  });
  after(() => server.close());

  /** Makes one, and waits until it has failed; returns what may go then. */
  async function askInVain(): Promise<WeakRef<object>[]> {
    const connection = new Http2Connection(await server.connect(), LIMITS, () => {});
    const request = connection.request({ ...HEAD, method: 'GET', hasBody: false });
    const waiting = { stop: () => assert.fail('it was not silent for so long') };
    request.onSilence(IDLE_TIMEOUT_MS, () => waiting.stop());
    await assert.rejects(request.answer());
    return [new WeakRef(connection), new WeakRef(waiting)];
  }

  const ends: readonly [what: string, serve: Serve][] = [
    ['is closed', (_stream, { socket }) => socket.destroy()],
    ['is ended with an error', (_stream, to) => to.goAway(0, INTERNAL_ERROR)],
  ];
  for (const [what, end] of ends) {
    it(`does not hold it, or who waited for it, for as long as a server may be silent, when it ${what}`, async () => {
      serve = end;
      const refs = await askInVain();
      await eventually('both are gone', () => {
        gc();
        return refs.every((ref) => ref.deref() === undefined);
      });
    });
  }
});
