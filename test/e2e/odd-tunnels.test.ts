import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it } from 'node:test';
import type tls from 'node:tls';
import { readAnswers } from '../answers.ts';
import { ask, connectTo, openTunnel } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setStage } from '../stage.ts';

const TELL = `
  const tell = (name) => (flow, ctx) => ctx.log.info('flow ' + flow.request.path + ' ' + name);
  export const response = tell('response');
  export const error = tell('error');
`;
const CONFIG = `export default {
  addons: ['addons/auth.ts', 'tell.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0,
};`;

describe('a client that does odd things in a tunnel', () => {
  let proxy: ProxyProcess;
  let fake: FakeCopilot;
  setStage({ config: CONFIG, files: { 'tell.ts': TELL } }, undefined, (stage) => {
    ({ proxy, fake } = stage);
    fake.plan = ({ path }) => (path.includes('slow') ? { delayMs: 300, pieces: ['x', 'y', 'z'] } : {});
  });
  const received = (socket: tls.TLSSocket) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (more) => {
      text += more;
    });
    socket.on('error', () => {});
    return () => text;
  };
  const closed = (socket: tls.TLSSocket) => new Promise((resolve) => socket.once('close', resolve));
  const open = async () => {
    const socket = await openTunnel(proxy, 'alice', API_HOST);
    return { socket, text: received(socket) };
  };
  const chat = (path: string) => {
    const body = chatRequest('x');
    return `POST ${path}/chat/completions HTTP/1.1\r\nHost: ${API_HOST}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  };
  const endsOnce = (path: string) =>
    eventually(
      () => `one end of ${path}:\n${proxy.output}`,
      () => proxy.output.match(new RegExp(`flow ${path} (response|error)`, 'g'))?.length === 1,
    );
  /** What is answered before the connection closes. */
  const refused = async (request: string) => {
    const { socket, text } = await open();
    socket.write(request);
    await closed(socket);
    return readAnswers(text());
  };

  it('has what mockttp says of it told to the debug log, not to the console', async () => {
    const socket = await connectTo(proxy, 'alice', `${API_HOST}:443`);
    // A ClientHello that is too short for one.
    socket.write(Buffer.from('16030100050100000100', 'hex'));
    const said = /"level":"debug","message":"mockttp: Unknown TLS error:/;
    await eventually('it is in the log', () => said.test(proxy.read('logs/insight-dump.log')));
    assert.doesNotMatch(proxy.output, /TLS error/);
  });

  it('gets nothing written into an answer that has begun when it sends rubbish', async () => {
    const { socket, text } = await open();
    socket.write(chat('/slow-1'));
    await eventually('it has begun', () => text().includes('HTTP/1.1 200'));
    socket.write('\0\0 rubbish\r\n\r\n');
    await closed(socket);
    assert.doesNotMatch(text(), / 400 /);
    await endsOnce('/slow-1/chat/completions');
  });

  it('gets nothing written into an answer that has begun when a pipelined head is too large', async () => {
    const { socket, text } = await open();
    socket.write(chat('/slow-2'));
    await eventually('it has begun', () => text().includes('HTTP/1.1 200'));
    socket.write(`GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`);
    await closed(socket);
    assert.doesNotMatch(text(), / 431 /);
    await endsOnce('/slow-2/chat/completions');
  });

  for (const [what, request, status, code] of [
    ['rubbish', '\0\x01garbage\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a head over 64 KiB', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, 431, 'HEAD_TOO_LARGE'],
    ['a CONNECT', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n', 405, 'TUNNEL_IN_TUNNEL'],
    ['a target that is none', 'GET ftp://x/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400, 'BAD_REQUEST'],
    [
      'chunks that are none',
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n',
      400,
      'BAD_REQUEST',
    ],
  ] as const) {
    it(`is told by whom it is refused when it sends ${what}`, async () => {
      const [answer, ...more] = await refused(request);
      assert.deepEqual([answer?.status, answer?.headers.get('x-insight-dump'), more], [status, code, []]);
    });
  }

  it('has a request ended whose chunks, which are none, come with its head', async () => {
    await refused('POST /broken HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZ\r\n');
    await endsOnce('/broken');
  });

  it('is served with a head of 60 KiB, as it would be without a tunnel', async () => {
    const { socket, text } = await open();
    socket.write(`GET /large HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(60 * 1024)}\r\n\r\n`);
    await eventually('an answer', () => text().includes('HTTP/1.1 '));
    // The server may not like it: that is between those two.
    assert.doesNotMatch(text(), /x-insight-dump/);
    socket.destroy();
  });

  for (const [what, expected, headers] of [
    [
      'asks for a tunnel',
      /^405 TUNNEL_IN_TUNNEL/,
      { ':method': 'CONNECT', ':authority': 'a.example:443', ':path': undefined },
    ],
    [
      'asks for a WebSocket (RFC 8441), which is not offered',
      /^reset/,
      { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'https', ':authority': API_HOST },
    ],
    ['asks for what is no path', /^400|^reset/, { ':path': '@[' }],
    ['asks for another scheme', /^400|^reset/, { ':path': 'ftp://x/' }],
    ['asks for all without OPTIONS', /^400|^reset/, { ':path': '*' }],
    ['sends too many headers', /^431 HEAD_TOO_LARGE/, manyFields(2_000)],
    [
      'sends headers that are too large',
      /^431 HEAD_TOO_LARGE/,
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x-${i}`, 'x'.repeat(4_000)])),
    ],
  ] as const) {
    it(`is refused one stream of h2 when it ${what}, and the others go on`, async () => {
      const socket = await openTunnel(proxy, 'alice', API_HOST, ['h2']);
      const createConnection = () => socket;
      const session = http2.connect(`https://${API_HOST}`, { createConnection, maxSendHeaderBlockLength: 1_000_000 });
      // What each takes is agreed on by then.
      assert.equal((await ask(session, { ':path': '/before' })).status, 200);
      const before = fake.requests.length;
      assert.match(await endOf(session.request({ ':path': '/refused', ...headers })), expected);
      assert.equal(fake.requests.length, before);
      assert.equal((await ask(session, { ':path': '/after' })).status, 200);
      session.destroy();
    });
  }
});

function manyFields(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, '']));
}

/** The status that a stream is answered with, or that it is reset. */
function endOf(stream: http2.ClientHttp2Stream): Promise<string> {
  return new Promise((resolve) => {
    stream.once('response', (headers) => resolve(`${headers[':status']} ${headers['x-insight-dump']}`));
    stream.once('error', () => resolve('reset')).once('close', () => resolve('reset'));
  });
}
