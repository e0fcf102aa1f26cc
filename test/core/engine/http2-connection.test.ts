import { describe, it } from 'node:test';
import { Http2Connection } from '../../../core/engine/http2-connection.ts';
import { FRAME, startFrameServer } from '../../http2-frames.ts';
import { makeCredentials } from '../../own-upstream.ts';
import { eventually } from '../../proxy-process.ts';

const LIMITS = { keepIdleMs: 60_000, probeIntervalMs: 15_000, probeLimitMs: 10_000 };
/** RFC 9113, section 6.9.2. */
const FIRST_WINDOW_BYTES = 65_535;

describe('a connection to a server of HTTP/2', () => {
  it('has room for the answers of many, however long they are on their way', async (t) => {
    let windowBytes = FIRST_WINDOW_BYTES;
    const server = await startFrameServer(await makeCredentials(), ({ type, stream, payload }) => {
      if (type === FRAME.windowUpdate && stream === 0) windowBytes += payload.readUInt32BE(0);
    });
    t.after(() => server.close());
    const connection = new Http2Connection(await server.connect(), LIMITS, () => {});
    t.after(() => connection.destroy());
    // At 100 ms to and fro, 160 MB a second.
    await eventually('the window of the connection', () => windowBytes === 16 * 1024 * 1024);
  });
});
